import BulkheadAPI
import BulkheadJSON
import NIOCore

/// The body of `/v1/call/{destination}`: a request as an object of `method`, `path`, `query`, `headers` and `body`.
package enum DescribedCall {
    private static let members = ["method", "path", "query", "headers", "body"]

    /// The request it describes, without its destination. What path, method and headers may hold is judged by the credentials
    /// service, for every way it is called.
    /// - Throws: `EdgeError` 400 that names the member that is wrong.
    package static func decode(_ json: JSON) throws(EdgeError) -> CredentialsAPI.CallRequest {
        guard let object = json.object else { throw wrong("body", json, "an object of \(members.joined(separator: ", "))") }
        if let stranger = object.first(where: { !members.contains($0.name) })?.name {
            throw EdgeError.field(
                FoundValue.name(stranger),
                "\(FoundValue.name(stranger)) is no member of a call; it has \(members.joined(separator: ", ")).")
        }
        var call = CredentialsAPI.CallRequest(
            method: try text(object, "method") ?? "GET", path: try text(object, "path") ?? "/", query: try query(object["query"]),
            headers: try headers(object["headers"]))
        try setBody(object["body"], &call)
        return call
    }

    private static func text(_ object: JSONObject, _ name: String) throws(EdgeError) -> String? {
        guard let value = object[name], !value.isNull else { return nil }
        guard let text = value.string else { throw wrong(name, value, "a string") }
        return text
    }

    // MARK: query

    private static func query(_ value: JSON?) throws(EdgeError) -> String? {
        guard let value, !value.isNull else { return nil }
        guard let object = value.object else { throw wrong("query", value, "an object of names and values") }
        var pairs: [String] = []
        for (name, value) in object {
            let items = value.array ?? [value]
            for item in items {
                guard let text = scalar(item) else {
                    throw wrong("query.\(FoundValue.name(name))", item, "a string, a number, a boolean or an array of these")
                }
                pairs.append(encoded(name) + "=" + encoded(text))
            }
        }
        return pairs.isEmpty ? nil : pairs.joined(separator: "&")
    }

    private static func scalar(_ value: JSON) -> String? {
        switch value {
        case .string(let text): text
        case .int, .uint, .double, .bool: value.text()
        case .null, .array, .object: nil
        }
    }

    /// All but unreserved characters percent-encoded (RFC 3986 §2.3).
    private static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    // MARK: headers and body

    private static func headers(_ value: JSON?) throws(EdgeError) -> [CredentialsAPI.Header] {
        guard let value, !value.isNull else { return [] }
        guard let object = value.object else { throw wrong("headers", value, "an object of names and strings") }
        var headers: [CredentialsAPI.Header] = []
        for (name, value) in object {
            guard let text = value.string else { throw wrong("headers.\(FoundValue.name(name))", value, "a string") }
            let lower = name.lowercased()
            // The body's length follows from the body.
            if !ForwardedRequest.isOwnBusiness(lower), lower != "content-length" {
                headers.append(CredentialsAPI.Header(name: name, value: text))
            }
        }
        return headers
    }

    private static func setBody(_ value: JSON?, _ call: inout CredentialsAPI.CallRequest) throws(EdgeError) {
        switch value {
        case nil, .null?: return
        case .string(let text)?: call.body = ByteBuffer(string: text)
        case .array?, .object?:
            var writer = JSONWriter()
            if let value { writer.value(value) }
            call.body = writer.buffer
            guard !call.headers.contains(where: { $0.name.lowercased() == "content-type" }) else { return }
            call.headers.append(CredentialsAPI.Header(name: "content-type", value: "application/json"))
        case .some(let value): throw wrong("body", value, "an object or array, sent as JSON, or a string, sent as it is")
        }
    }

    private static func wrong(_ member: String, _ value: JSON, _ expected: String) -> EdgeError {
        EdgeError.field(member, "\(member) is \(FoundValue.text(value)); expected \(expected).")
    }
}
