import BulkheadConfig
import BulkheadCore
import BulkheadJSON
import Crypto
import CryptoExtras
import EdgeService
import Foundation
import Logging
import NIOCore
import Synchronization

/// An identity provider for tests, with keys of every kind. Makes tokens, and documents with its keys.
struct TokenIssuer {
    static let name = "https://idp.example"
    /// When everything begins, in seconds since 1970.
    static let start = 1_800_000_000
    /// Keys take a moment to make: all tests share them.
    static let shared = Result { try TokenIssuer() }

    let rsa: _RSA.Signing.PrivateKey
    let otherRSA: _RSA.Signing.PrivateKey
    let p256 = P256.Signing.PrivateKey()
    let p384 = P384.Signing.PrivateKey()
    let p521 = P521.Signing.PrivateKey()
    let ed25519 = Curve25519.Signing.PrivateKey()

    private init() throws {
        rsa = try .init(keySize: .bits2048)
        otherRSA = try .init(keySize: .bits2048)
    }

    // MARK: documents

    func jwk(_ algorithm: String, id: String?, other: Bool = false, _ more: [(String, JSON)] = []) throws -> JSON {
        var members: [(String, JSON)] = []
        switch algorithm.prefix(2) {
        case "RS", "PS":
            let parts = try (other ? otherRSA : rsa).publicKey.getKeyPrimitives()
            members = [("kty", "RSA"), ("n", Self.json(parts.modulus)), ("e", Self.json(parts.publicExponent))]
        case "ES":
            let (curve, point): (String, Data) =
                switch algorithm {
                case "ES384": ("P-384", p384.publicKey.rawRepresentation)
                case "ES512": ("P-521", p521.publicKey.rawRepresentation)
                default: ("P-256", p256.publicKey.rawRepresentation)
                }
            let half = point.count / 2
            members = [
                ("kty", "EC"), ("crv", .string(curve)), ("x", Self.json(point.prefix(half))),
                ("y", Self.json(point.suffix(half))),
            ]
        default:
            members = [("kty", "OKP"), ("crv", "Ed25519"), ("x", Self.json(ed25519.publicKey.rawRepresentation))]
        }
        if let id { members.append(("kid", .string(id))) }
        let replaced = Set(more.map(\.0))
        return .object(JSONObject(members.filter { !replaced.contains($0.0) } + more))
    }

    static func document(_ keys: [JSON]) -> ByteBuffer { ByteBuffer(string: JSON.object(["keys": .array(keys)]).text()) }

    private static func json(_ bytes: Data) -> JSON { .string(Base64URL.encode(bytes)) }

    // MARK: tokens

    /// The claims of a token that is good, with changes; nil takes a claim away.
    static func claims(_ changes: [(String, JSON?)] = []) -> JSON {
        var members: [(String, JSON)] = [
            ("iss", .string(name)), ("aud", "bulkhead"), ("sub", "alice"), ("tenant", "acme"), ("iat", .int(Int64(start))),
            ("exp", .int(Int64(start + 3600))),
        ]
        for (name, value) in changes {
            members.removeAll { $0.0 == name }
            if let value { members.append((name, value)) }
        }
        return .object(JSONObject(members))
    }

    func token(
        _ algorithm: String = "RS256", id: String? = "one", _ claims: JSON = TokenIssuer.claims(), other: Bool = false,
        header more: [(String, JSON)] = []
    ) throws -> String {
        var header: [(String, JSON)] = [("alg", .string(algorithm)), ("typ", "JWT")]
        if let id { header.append(("kid", .string(id))) }
        let replaced = Set(more.map(\.0))
        let whole = JSON.object(JSONObject(header.filter { !replaced.contains($0.0) } + more))
        return try sign(algorithm, header: whole.text(), payload: claims.text(), other: other)
    }

    /// Header and payload as they are, signed.
    func sign(_ algorithm: String, header: String, payload: String, other: Bool = false) throws -> String {
        let text = Base64URL.encode(header.utf8) + "." + Base64URL.encode(payload.utf8)
        return text + "." + Base64URL.encode(try signature(algorithm, Data(text.utf8), other ? otherRSA : rsa))
    }

    private func signature(_ algorithm: String, _ text: Data, _ rsa: _RSA.Signing.PrivateKey) throws -> Data {
        switch algorithm {
        case "RS256": try rsa.signature(for: SHA256.hash(data: text), padding: .insecurePKCS1v1_5).rawRepresentation
        case "RS384": try rsa.signature(for: SHA384.hash(data: text), padding: .insecurePKCS1v1_5).rawRepresentation
        case "RS512": try rsa.signature(for: SHA512.hash(data: text), padding: .insecurePKCS1v1_5).rawRepresentation
        case "PS256": try rsa.signature(for: SHA256.hash(data: text), padding: .PSS).rawRepresentation
        case "PS384": try rsa.signature(for: SHA384.hash(data: text), padding: .PSS).rawRepresentation
        case "PS512": try rsa.signature(for: SHA512.hash(data: text), padding: .PSS).rawRepresentation
        case "ES256": try p256.signature(for: text).rawRepresentation
        case "ES384": try p384.signature(for: text).rawRepresentation
        case "ES512": try p521.signature(for: text).rawRepresentation
        case "EdDSA": try ed25519.signature(for: text)
        case "HS256":
            // The classical confusion: the public key as the secret of a MAC.
            Data(
                HMAC<SHA256>.authenticationCode(for: text, using: SymmetricKey(data: Data(rsa.publicKey.pemRepresentation.utf8))))
        default: Data()
        }
    }
}

/// A desk over a document that the test changes, on a clock that it moves.
final class TokenWorld: Sendable {
    private struct State {
        var document: Result<ByteBuffer, TokenKeyProblem>
        var seconds = 0
        var loads = 0
        var troubles: [TokenKeys.Trouble?] = []
    }

    private let state: Mutex<State>
    private let late = Mutex<TokenDesk?>(nil)

    init(_ document: ByteBuffer) { state = Mutex(State(document: .success(document))) }

    /// How often the document was read.
    var loads: Int { state.withLock { $0.loads } }
    var troubles: [TokenKeys.Trouble?] { state.withLock { $0.troubles } }

    func pass(_ seconds: Int) { state.withLock { $0.seconds += seconds } }

    func publish(_ document: ByteBuffer) { state.withLock { $0.document = .success(document) } }

    func fail() { state.withLock { $0.document = .failure(TokenKeyProblem("it is away")) } }

    func desk(_ more: String = "") throws -> TokenDesk {
        let settings = try Self.settings(more)
        let keys = TokenKeys(
            algorithms: settings.algorithms, logger: Logger(label: "tests", factory: { _ in SwiftLogNoOpLogHandler() }),
            observer: TokenKeys.Observer(
                changed: { self.late.withLock { $0 }?.forgetAll() },
                troubled: { trouble in self.state.withLock { $0.troubles.append(trouble) } }),
            clock: { self.monotonic }
        ) {
            await Task.yield()
            return try self.state.withLock { state in
                state.loads += 1
                return state.document
            }.get()
        }
        let clock = TokenDesk.Clock(
            unixSeconds: { TokenIssuer.start + self.state.withLock { $0.seconds } }, monotonic: { self.monotonic })
        let desk = TokenDesk(settings, keys: keys, clock: clock)
        late.withLock { $0 = desk }
        return desk
    }

    private var monotonic: MonotonicTime {
        MonotonicTime(nanoseconds: 1_000_000_000_000) + .seconds(state.withLock { $0.seconds })
    }

    /// - Parameter more: lines of the section `auth`, besides issuer, audience and source.
    static func settings(_ more: String = "") throws -> OIDCConfiguration {
        let text = """
            edge:
              auth:
                mode: oidc
                issuer: \(TokenIssuer.name)
                audience: bulkhead
                jwks_file: /nowhere/jwks.json
            \(more.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))

            """
        guard let settings = try loadConfiguration(EdgeConfiguration.self, text: text, file: "b.yaml").service.oidc else {
            throw Finding("mode oidc gave no settings")
        }
        return settings
    }
}

extension TokenDesk {
    /// The code and message of the refusal; nil: the token was taken.
    func refusal(_ token: String) async -> EdgeError? {
        do throws(EdgeError) {
            _ = try await verify(token)
            return nil
        } catch {
            return error
        }
    }
}
