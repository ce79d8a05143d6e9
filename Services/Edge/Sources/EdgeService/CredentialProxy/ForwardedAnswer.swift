import BulkheadAPI
import HTTPTypes

/// What of a destination's answer goes back to the client.
package enum ForwardedAnswer {
    /// Headers of one connection, those about the origin it was fetched from, and those this process sets on every answer.
    private static let dropped: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length",
        "alt-svc", "strict-transport-security",
        "request-id", "x-content-type-options", "x-frame-options", "referrer-policy",
    ]
    private static let prefixes = ["proxy-", "x-bulkhead-"]

    /// - Parameter headers: as the credentials service passes them on.
    /// - Returns: nil when the status is none an answer can end with.
    static func head(_ reply: CredentialsAPI.CallReply) -> RelayedHead? {
        guard let status = reply.status, (200 ... 599).contains(status) else { return nil }
        let length = status == 204 ? nil : length(reply.headers)
        return RelayedHead(
            status: status, reason: reply.reason.flatMap { $0.isEmpty ? nil : $0 }, fields: fields(reply.headers), length: length)
    }

    /// The fields a client gets. The upstream's own id of the request keeps its value under another name.
    package static func fields(_ headers: [CredentialsAPI.Header]) -> HTTPFields {
        let listed = ForwardedRequest.listed(headers.lazy.filter { $0.name.lowercased() == "connection" }.map(\.value))
        var fields = HTTPFields()
        fields.reserveCapacity(headers.count + 2)
        for header in headers {
            let lower = header.name.lowercased()
            guard !dropped.contains(lower), !listed.contains(lower),
                !prefixes.contains(where: { lower.utf8.starts(with: $0.utf8) }),
                let name = lower == "x-request-id" ? .upstreamRequestID : HTTPField.Name(header.name)
            else { continue }
            fields.append(HTTPField(name: name, value: header.value))
        }
        return fields
    }

    private static func length(_ headers: [CredentialsAPI.Header]) -> Int? {
        let values = headers.filter { $0.name.utf8.count == 14 && $0.name.lowercased() == "content-length" }.map(\.value)
        guard values.count == 1, let length = Int(values[0]), length >= 0 else { return nil }
        return length
    }
}
