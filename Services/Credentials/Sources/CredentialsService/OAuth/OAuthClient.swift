import BulkheadConfig
import BulkheadJSON
import Crypto
import NIOCore

/// A client of an authorization server, with what it is known by.
struct OAuthClient: Sendable {
    let spec: OAuthSpec
    let url: AbsoluteURL
    /// As stored.
    let value: SecretBytes
    let secret: SecretBytes
    let refreshToken: SecretBytes?

    /// nil when the stored value is not what the grant needs.
    init?(_ spec: OAuthSpec, _ value: SecretBytes) {
        guard let url = AbsoluteURL(spec.tokenURL) else { return nil }
        self.spec = spec
        self.url = url
        self.value = value
        switch spec.grant {
        case .clientCredentials:
            secret = value
            refreshToken = nil
        case .refreshToken:
            guard let (secret, token) = Self.parts(value) else { return nil }
            self.secret = secret
            refreshToken = token
        }
    }

    /// The client's secret, which public clients have not, and the refresh token of a stored JSON object.
    private static func parts(_ value: SecretBytes) -> (secret: SecretBytes, token: SecretBytes)? {
        guard let json = value.withBytes({ try? JSON.parse($0, maxDepth: 2) }), let token = json["refresh_token"]?.string,
            !token.isEmpty
        else { return nil }
        return (SecretBytes(Array((json["client_secret"]?.string ?? "").utf8)), SecretBytes(Array(token.utf8)))
    }

    /// What of a stored value must not come back.
    static func sensitive(in value: SecretBytes) -> [[UInt8]] {
        let whole = value.withBytes { Array($0) }
        guard let (secret, token) = parts(value) else { return [whole] }
        return [whole] + [secret, token].map { $0.withBytes { Array($0) } }
    }

    /// Tells stored values apart.
    var digest: SHA256Digest { value.withBytes { SHA256.hash(data: $0) } }

    /// The stored value with another refresh token.
    func rotated(to token: String) -> SecretBytes {
        var buffer = ByteBuffer()
        let secret = secret.withBytes { String(decoding: $0, as: UTF8.self) }
        JSONWriter.append(to: &buffer) { writer in
            writer.object {
                if !secret.isEmpty { $0.field("client_secret", secret) }
                $0.field("refresh_token", token)
            }
        }
        return SecretBytes(Array(buffer: buffer))
    }

    /// The request for a token (RFC 6749 §4.4.2, §6).
    var request: OutboundRequest {
        var form: [SecretText.Piece] = [.text("grant_type=\(spec.grant.rawValue)")]
        func add(_ name: String, _ value: SecretBytes) {
            form += [.text("&\(name)="), .secret(SecretBytes(value.withBytes { PercentEncoding.encode($0) }))]
        }
        if let refreshToken { add("refresh_token", refreshToken) }
        if !spec.scopes.isEmpty { add("scope", SecretBytes(Array(spec.scopes.joined(separator: " ").utf8))) }
        let usesBasic = spec.authentication == .basic && secret.count > 0
        if !usesBasic {
            add("client_id", SecretBytes(Array(spec.clientID.utf8)))
            if secret.count > 0 { add("client_secret", secret) }
        }
        var body = ByteBuffer()
        SecretText(form).write(into: &body)
        let target = (url.path.isEmpty ? "/" : url.path) + (url.query.map { "?\($0)" } ?? "")
        var request = OutboundRequest(method: "POST", target: SecretText(target), body: .whole(body))
        for (name, value) in [
            ("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"),
            ("accept-encoding", "identity"),
        ] {
            request.headers.append(OutboundRequest.Header(name, SecretText(value)))
        }
        if usesBasic {
            request.headers.append(OutboundRequest.Header("authorization", SecretText([.text("Basic "), .secret(pair)])))
        }
        return request
    }

    /// Client and secret, each form-encoded, together in base64 (§2.3.1).
    private var pair: SecretBytes {
        let plain =
            PercentEncoding.encode(spec.clientID.utf8) + [UInt8(ascii: ":")] + secret.withBytes { PercentEncoding.encode($0) }
        return SecretBytes(Base64.encode(plain))
    }

    /// What must not come back besides the stored value.
    func needles(with token: SecretBytes) -> SecretNeedles {
        let pair = Array("\(spec.clientID):".utf8) + secret.withBytes { Array($0) }
        return SecretNeedles([pair, token.withBytes { Array($0) }])
    }
}
