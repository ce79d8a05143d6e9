import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("Tokens: signatures, keys and what is refused")
struct TokenVerificationTests {
    private let issuer: TokenIssuer

    init() throws { issuer = try TokenIssuer.shared.get() }

    private func world(_ keys: JSON...) -> TokenWorld { TokenWorld(TokenIssuer.document(keys)) }

    /// What a desk with one RSA key says of a token.
    private func refusal(_ token: String) async throws -> EdgeError? {
        try await world(issuer.jwk("RS256", id: "one")).desk().refusal(token)
    }

    private func expectRefused(_ token: String, _ word: String) async throws {
        let refusal = try #require(try await refusal(token), "\(word) was taken")
        #expect(refusal.status == 401 && refusal.code == "invalid_token", "\(refusal)")
        #expect(refusal.message.contains(word), "\(refusal.message)")
        for part in token.split(separator: ".") where part.utf8.count > 8 {
            #expect(!refusal.message.contains(part), "the message holds a part of the token")
        }
    }

    @Test("A token signed by a key of the issuer says who shows it", arguments: TokenAlgorithm.allCases)
    func good(_ algorithm: TokenAlgorithm) async throws {
        let desk = try world(issuer.jwk(algorithm.rawValue, id: "one")).desk()
        let bearer = try await desk.verify(issuer.token(algorithm.rawValue))
        #expect(bearer.tenant == "acme" && bearer.user == "alice" && bearer.scopes == [] && bearer.models == [])
        #expect(bearer.keyID.hasPrefix("oidc:") && bearer.keyID.utf8.count == 21)
    }

    @Test("Tokens that are unsigned, or signed with what is public, are refused")
    func confusion() async throws {
        try await expectRefused(issuer.token("none"), "alg")
        try await expectRefused(issuer.sign("none", header: #"{"alg":"None","kid":"one"}"#, payload: "{}"), "alg")
        try await expectRefused(issuer.token("HS256"), "alg")
        let unsigned = try issuer.token().split(separator: ".").prefix(2).joined(separator: ".") + "."
        try await expectRefused(unsigned, "signature")
    }

    @Test("A signature by another key, over other claims, or for another algorithm is refused")
    func signature() async throws {
        try await expectRefused(issuer.token(other: true), "signature")
        let (good, evil) = (try issuer.token(), try issuer.token("RS256", TokenIssuer.claims([("sub", "mallory")]), other: true))
        let parts = (good.split(separator: "."), evil.split(separator: "."))
        try await expectRefused("\(parts.0[0]).\(parts.1[1]).\(parts.0[2])", "signature")
        // The key is for any RSA algorithm, the signature for one.
        let header = #"{"alg":"PS256","kid":"one"}"#
        try await expectRefused(issuer.sign("RS256", header: header, payload: TokenIssuer.claims().text()), "signature")
        // A key that names its algorithm is for no other.
        let bound = try world(issuer.jwk("RS256", id: "one", [("alg", "RS256")])).desk()
        #expect(await bound.refusal(try issuer.token("RS512"))?.message.contains("kid") == true)
        let narrow = try world(issuer.jwk("ES256", id: "one"), issuer.jwk("RS256", id: "two")).desk("algorithms: [ES256]")
        #expect(await narrow.refusal(try issuer.token("RS256", id: "two"))?.message.contains("kid") == true)
        #expect(await narrow.refusal(try issuer.token("ES256")) == nil)
    }

    @Test("A token is refused whichever of its characters is changed", arguments: ["RS256", "ES256", "EdDSA"])
    func anyChange(_ algorithm: String) async throws {
        let desk = try world(issuer.jwk(algorithm, id: "one")).desk()
        let token = Array(try issuer.token(algorithm).utf8)
        for place in token.indices {
            for byte in [UInt8(ascii: "A"), UInt8(ascii: "_"), UInt8(ascii: "."), 0xff] where byte != token[place] {
                var changed = token
                changed[place] = byte
                #expect(await desk.refusal(String(decoding: changed, as: UTF8.self)) != nil, "byte \(place) as \(byte)")
            }
        }
        #expect(await desk.refusal(String(decoding: token, as: UTF8.self)) == nil)
    }

    @Test("What is no token is refused before any signature is looked at")
    func structure() async throws {
        try await expectRefused("sk-ant-somebody-elses-key", "bh_")
        try await expectRefused("a.b.c.d", "three parts")
        try await expectRefused("a.b.c.d.e", "three parts")
        try await expectRefused(String(repeating: "a", count: 9000), "8192")
        try await expectRefused(issuer.token() + "=", "base64url")
        try await expectRefused(" " + issuer.token(), "base64url")
        try await expectRefused(issuer.sign("RS256", header: "[]", payload: "{}"), "object")
        try await expectRefused(issuer.sign("RS256", header: #"{"alg":"RS256","kid":"one""#, payload: "{}"), "JSON")
        let twice = #"{"alg":"RS256","alg":"none","kid":"one"}"#
        try await expectRefused(issuer.sign("RS256", header: twice, payload: TokenIssuer.claims().text()), "twice")
        let claims = TokenIssuer.claims().text().dropLast() + #","sub":"mallory"}"#
        try await expectRefused(
            issuer.sign("RS256", header: #"{"alg":"RS256","kid":"one"}"#, payload: String(claims)), "twice")
        try await expectRefused(issuer.token(header: [("kid", 7)]), "kid")
    }

    @Test("A header that brings a key or its address, asks for extensions, or is of another kind of token is refused")
    func headers() async throws {
        let own = try issuer.jwk("RS256", id: "one", other: true)
        for (name, value) in [("jwk", own), ("jku", "https://evil.example/jwks"), ("x5u", "https://evil.example/x")] {
            try await expectRefused(issuer.token(other: true, header: [(name, value)]), name)
            try await expectRefused(issuer.token(header: [(name, value)]), name)
        }
        try await expectRefused(issuer.token(header: [("crit", ["exp"])]), "crit")
        for type in ["logout+jwt", "dpop+jwt", "JOSE"] {
            try await expectRefused(issuer.token(header: [("typ", .string(type))]), "typ")
        }
        for type in ["jwt", "at+jwt", "application/at+JWT"] {
            #expect(try await refusal(issuer.token(header: [("typ", .string(type))])) == nil)
        }
        #expect(try await refusal(issuer.token(header: [("x5t", "abc"), ("x5c", ["MIIB"])])) == nil, "never looked at")
    }

    @Test("The key is found by its id, and without one only where one key could be meant")
    func keyIDs() async throws {
        try await expectRefused(issuer.token(id: "two"), "kid")
        #expect(try await refusal(issuer.token(id: nil)) == nil)
        let two = try world(issuer.jwk("RS256", id: "one"), issuer.jwk("RS256", id: "two", other: true)).desk()
        #expect(await two.refusal(try issuer.token(id: nil))?.message.contains("no kid") == true)
        #expect(await two.refusal(try issuer.token(id: "two", other: true)) == nil)
        #expect(await two.refusal(try issuer.token(id: "one", other: true))?.message.contains("signature") == true)
    }

    @Test("Two keys of one id: each may have signed, whichever stands first")
    func twins() async throws {
        let keys = [
            try issuer.jwk("RS256", id: "one", other: true), try issuer.jwk("RS256", id: "one"),
            try issuer.jwk("ES256", id: "one"),
        ]
        let desk = try TokenWorld(TokenIssuer.document(keys)).desk()
        for token in [try issuer.token(), try issuer.token(other: true), try issuer.token("ES256")] {
            #expect(await desk.refusal(token) == nil)
        }
        #expect(await desk.refusal(try issuer.token("EdDSA"))?.message.contains("kid") == true)
    }

    @Test("Keys that are symmetric, weak, private, for encryption or broken are left out, and the others serve")
    func keys() async throws {
        let short = Base64URL.encode([UInt8](repeating: 0xc3, count: 128))
        let bad: [(JSON, String)] = [
            (["kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"], "symmetric"),
            (["kty": "RSA", "n": .string(short), "e": "AQAB", "kid": "one"], "2048"),
            (try issuer.jwk("RS256", id: "one", [("use", "enc")]), "use"),
            (try issuer.jwk("RS256", id: "one", [("key_ops", ["encrypt"])]), "key_ops"),
            (try issuer.jwk("RS256", id: "one", [("d", "AQAB")]), "private"),
            (try issuer.jwk("RS256", id: "one", [("alg", "RSA-OAEP")]), "alg"),
            (try issuer.jwk("RS256", id: "one", [("alg", "ES256")]), "alg"),
            (try issuer.jwk("ES256", id: "one", [("crv", "secp256k1")]), "crv"),
            (try issuer.jwk("ES256", id: "one", [("y", "AAAA")]), "EC"),
            (try issuer.jwk("RS256", id: "one", [("n", "not base64!")]), "base64url"),
            ("text", "kty"),
        ]
        let good = try issuer.jwk("RS256", id: "good")
        for (key, word) in bad {
            let set = try await TokenKeySet(TokenIssuer.document([key, good]), algorithms: TokenAlgorithm.allCases)
            #expect(set.refused.count == 1 && set.refused[0].contains(word), "\(set.refused) for \(word)")
            #expect(throws: Never.self) { try set.verify(try UnverifiedToken(try issuer.token(id: "good"))) }
            #expect(throws: TokenRefusal.self) { try set.verify(try UnverifiedToken(try issuer.token(id: "one"))) }
            await #expect(throws: TokenKeyProblem.self) {
                _ = try await TokenKeySet(TokenIssuer.document([key]), algorithms: TokenAlgorithm.allCases)
            }
        }
        for text in ["", "{}", "[]", #"{"keys":[]}"#, #"{"keys":{}}"#] {
            await #expect(throws: TokenKeyProblem.self) {
                _ = try await TokenKeySet(ByteBuffer(string: text), algorithms: TokenAlgorithm.allCases)
            }
        }
    }

    @Test("Base64url has one text for the same bytes")
    func base64() {
        for count in 0 ..< 20 {
            let bytes = (0 ..< count).map { UInt8(truncatingIfNeeded: $0 * 37 + 5) }
            #expect(Base64URL.decode(Array(Base64URL.encode(bytes).utf8)) == bytes)
        }
        for text in ["A", "AA==", "AB", "AAB", "A A", "A+A", "A/A"] {
            #expect(Base64URL.decode(Array(text.utf8)) == nil, "\(text)")
        }
    }
}
