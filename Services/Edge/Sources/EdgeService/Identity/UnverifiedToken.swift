import BulkheadJSON
import NIOCore

/// A token taken apart, before any of it is believed: three parts of base64url, two of them JSON objects in which no member
/// repeats (RFC 7519 §7.2).
package struct UnverifiedToken {
    /// Bytes of a token; longer ones are not looked at.
    package static let longest = 8192
    /// Deeper nesting is no token's.
    private static let depth = 16
    /// Members by which a token brings a key of its own, or the address of one (RFC 8725 §3.10): refused, never followed.
    private static let ownKeys = ["jwk", "jku", "x5u"]
    /// Media types of access and identity tokens (RFC 9068 §2.1, RFC 7519 §5.1), without `application/`.
    private static let types: Set<String> = ["jwt", "at+jwt"]

    /// As the header has it.
    package let algorithm: TokenAlgorithm
    package let keyID: String?
    package let claims: JSONObject
    let signed: [UInt8]
    let signature: [UInt8]

    /// - Throws: `TokenRefusal` for anything but a signed token of a known algorithm.
    package init(_ text: String) throws(TokenRefusal) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Self.longest else { throw .tooLong }
        let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw .malformed(
                "it is neither an API key, which begins with bh_, nor a JWT, which has three parts with dots between")
        }
        let header = try Self.object(parts[0], "header")
        (algorithm, keyID) = (try Self.algorithm(header), try Self.text(header, "kid"))
        try Self.check(header)
        claims = try Self.object(parts[1], "payload")
        guard let signature = Base64URL.decode(parts[2]), !signature.isEmpty else {
            throw .malformed("its signature is not base64url")
        }
        self.signature = signature
        signed = Array(bytes.prefix(parts[1].endIndex))
    }

    private static func object(_ part: ArraySlice<UInt8>, _ what: String) throws(TokenRefusal) -> JSONObject {
        guard let bytes = Base64URL.decode(part) else { throw .malformed("its \(what) is not base64url") }
        let json: JSON
        do {
            json = try JSON.parse(ByteBuffer(bytes: bytes), maxDepth: depth)
        } catch {
            throw .malformed("its \(what) is not JSON")
        }
        guard let object = json.object else { throw .malformed("its \(what) is not a JSON object") }
        do {
            try RepeatedNames.check(json)
        } catch {
            throw .malformed("a member of its \(what) stands there twice")
        }
        return object
    }

    private static func algorithm(_ header: JSONObject) throws(TokenRefusal) -> TokenAlgorithm {
        guard let name = header["alg"]?.string, let algorithm = TokenAlgorithm(rawValue: name) else { throw .algorithm }
        return algorithm
    }

    private static func text(_ header: JSONObject, _ name: String) throws(TokenRefusal) -> String? {
        guard let value = header[name] else { return nil }
        guard let text = value.string else { throw .malformed("the \(name) of its header is not a string") }
        return text
    }

    private static func check(_ header: JSONObject) throws(TokenRefusal) {
        // No extension is understood here, and whoever sends one asks for the token to be refused then (RFC 7515 §4.1.11).
        guard header["crit"] == nil else { throw .malformed("its header asks for extensions (crit) this server does not know") }
        for name in ownKeys where header[name] != nil {
            throw .malformed("its header brings a key of its own (\(name)); keys come from the issuer alone")
        }
        guard let type = try text(header, "typ")?.lowercased() else { return }
        let short = type.hasPrefix("application/") ? String(type.dropFirst(12)) : type
        guard types.contains(short) else { throw .malformed("its typ is not that of an access token") }
    }
}
