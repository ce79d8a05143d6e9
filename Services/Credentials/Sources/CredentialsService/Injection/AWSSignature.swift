import BulkheadCore
import Crypto
import NIOCore

/// An access key of AWS, as it is stored: `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`.
package struct AWSKey: Sendable {
    /// Public.
    let id: String
    let secret: SecretBytes
    let token: SecretBytes?

    /// nil when the value has not two or three parts, or the id is none.
    package init?(_ value: SecretBytes) {
        let parts = value.withBytes { bytes in
            bytes.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false).map { SecretBytes($0) }
        }
        guard parts.count >= 2, parts.allSatisfy({ $0.count > 0 }) else { return nil }
        let id = parts[0].withBytes { String(decoding: $0, as: UTF8.self) }
        guard id.utf8.count <= 128, id.utf8.allSatisfy({ PercentEncoding.isUnreserved($0) }) else { return nil }
        self.id = id
        secret = parts[1]
        token = parts.count > 2 ? parts[2] : nil
    }
}

/// AWS Signature Version 4 in the `Authorization` header, for requests whose body is at hand ("Signature Version 4 signing
/// process", AWS General Reference).
package struct AWSSignature: Sendable {
    /// Headers this is about; a caller's are dropped.
    static let headers: Set<String> = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]

    private let scope: AWSScope
    private let key: AWSKey

    /// Signs with a key for a scope.
    package init(_ scope: AWSScope, _ key: AWSKey) {
        self.scope = scope
        self.key = key
    }

    /// Letters, digits and `-`, at most 64.
    static func isScopePart(_ text: String) -> Bool {
        (1 ... 64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (97 ... 122).contains($0) || (48 ... 57).contains($0) || $0 == UInt8(ascii: "-") }
    }

    /// Adds the headers of a signature.
    /// - Parameters:
    ///   - authority: `Host` as it goes on the wire.
    ///   - now: milliseconds since 1970; AWS allows five minutes.
    package func sign(_ request: inout OutboundRequest, authority: String, at now: Int64) {
        let time = UTCTime(milliseconds: now).compact
        let hash = request.wholeBody.withUnsafeReadableBytes { Self.hex(SHA256.hash(data: $0)) }
        request.headers.append(OutboundRequest.Header("x-amz-date", SecretText(time)))
        if let token = key.token {
            request.headers.append(OutboundRequest.Header("x-amz-security-token", SecretText([.secret(token)])))
        }
        if scope.service == "s3" { request.headers.append(OutboundRequest.Header("x-amz-content-sha256", SecretText(hash))) }
        let (canonical, names) = canonicalHeaders(request, authority)
        let target = request.target.plain ?? request.target.joined
        let path = target.prefix { $0 != "?" }
        var text = "\(request.method)\n\(canonicalPath(path))\n\(Self.canonicalQuery(target.dropFirst(path.count + 1)))\n"
        text += "\(canonical)\n\(names)\n\(hash)"
        let day = time.prefix(8)
        let scopeText = "\(day)/\(scope.region)/\(scope.service)/aws4_request"
        let toSign = "AWS4-HMAC-SHA256\n\(time)\n\(scopeText)\n\(Self.hex(SHA256.hash(data: Array(text.utf8))))"
        let signature = Self.hex(Self.code(toSign, signingKey(day: String(day))))
        request.headers.append(
            OutboundRequest.Header(
                "authorization",
                SecretText(
                    "AWS4-HMAC-SHA256 Credential=\(key.id)/\(scopeText), SignedHeaders=\(names), Signature=\(signature)")))
    }

    // MARK: the canonical request

    /// `host`, `content-type` and all of AWS's own: the others may be changed on the way without harm.
    private func canonicalHeaders(_ request: OutboundRequest, _ authority: String) -> (text: String, names: String) {
        var values = ["host": [authority]]
        for header in request.headers {
            let name = header.name.lowercased()
            if name.hasPrefix("x-amz-") || name == "content-type" {
                values[name, default: []].append(Self.trimmed(header.value.joined))
            }
        }
        let sorted = values.sorted { $0.key < $1.key }
        return (
            sorted.map { "\($0.key):\($0.value.joined(separator: ","))\n" }.joined(), sorted.map(\.key).joined(separator: ";")
        )
    }

    /// Without blanks around it, and one for several.
    private static func trimmed(_ text: String) -> String { text.split(separator: " ").joined(separator: " ") }

    /// The path as it is on the wire, encoded once more, but for S3.
    private func canonicalPath(_ path: Substring) -> String {
        guard scope.service != "s3" else { return String(path) }
        let encoded = path.utf8.flatMap { byte in
            byte == UInt8(ascii: "/") ? [byte] : PercentEncoding.encode(CollectionOfOne(byte))
        }
        return encoded.isEmpty ? "/" : String(decoding: encoded, as: UTF8.self)
    }

    /// Parameters in the order of their encoded names, then values, encoded in the one way AWS knows.
    private static func canonicalQuery(_ query: Substring) -> String {
        let pairs = query.split(separator: "&").map { part -> (name: String, value: String) in
            let name = part.prefix { $0 != "=" }
            return (normal(name), normal(part.dropFirst(name.count + 1)))
        }
        return pairs.sorted { ($0.name, $0.value) < ($1.name, $1.value) }.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }

    private static func normal(_ text: Substring) -> String {
        var (bytes, rest) = ([UInt8](), Array(text.utf8)[...])
        while let byte = rest.popFirst() {
            let digits = byte == UInt8(ascii: "%") ? rest.prefix(2).compactMap(PercentEncoding.digit) : []
            if digits.count == 2 { rest = rest.dropFirst(2) }
            bytes.append(digits.count == 2 ? digits[0] << 4 | digits[1] : byte)
        }
        return String(decoding: PercentEncoding.encode(bytes), as: UTF8.self)
    }

    // MARK: keys

    private func signingKey(day: String) -> SymmetricKey {
        let first = key.secret.withBytes { SymmetricKey(data: Array("AWS4".utf8) + Array($0)) }
        return [day, scope.region, scope.service, "aws4_request"].reduce(first) { key, part in
            SymmetricKey(data: Self.code(part, key))
        }
    }

    private static func code(_ text: String, _ key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.flatMap { HexDigits.lower.pair($0) }, as: UTF8.self)
    }
}

extension OutboundRequest {
    /// The body of a request that has all of it.
    var wholeBody: ByteBuffer {
        switch body {
        case .none: ByteBuffer()
        case .whole(let bytes): bytes
        case .streamed: preconditionFailure("bug: a body that is to be signed or changed has to be whole")
        }
    }
}
