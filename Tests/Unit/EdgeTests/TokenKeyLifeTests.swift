import BulkheadCore
import BulkheadJSON
import EdgeService
import Testing

@Suite("Tokens: what is remembered, and keys that change or cannot be read")
struct TokenKeyLifeTests {
    private let issuer: TokenIssuer

    init() throws { issuer = try TokenIssuer.shared.get() }

    private func document(_ id: String = "one", other: Bool = false) throws -> TokenWorld {
        TokenWorld(TokenIssuer.document([try issuer.jwk("RS256", id: id, other: other)]))
    }

    @Test("A token that was verified is taken for a minute, and not beyond its end")
    func remembered() async throws {
        let world = try document()
        let desk = try world.desk("leeway: 0s")
        let token = try issuer.token("RS256", TokenIssuer.claims([("exp", .int(Int64(TokenIssuer.start + 30)))]))
        #expect(await desk.refusal(token) == nil && desk.remembered == 1)
        world.pass(29)
        #expect(await desk.refusal(token) == nil)
        world.pass(1)
        #expect(await desk.refusal(token)?.message.contains("exp") == true)
    }

    @Test("Tokens remembered are bounded, and those of keys that are gone are not remembered")
    func bounds() throws {
        var memory = TokenMemory(capacity: 10)
        let bearer = TokenBearer(issuer: "i", subject: "s", tenant: "t", user: "u", scopes: [], models: [], createsTenant: false)
        let now = MonotonicTime(nanoseconds: 1_000_000_000_000)
        for number in 0 ..< 100 {
            memory.remember(KeyDigest(key: "\(number)"), bearer, lifetime: .seconds(50 + number), generation: 0, now: now)
            #expect(memory.count <= 10)
        }
        #expect(memory.find(KeyDigest(key: "99"), now: now + .seconds(59)) == bearer)
        #expect(memory.find(KeyDigest(key: "99"), now: now + .seconds(60)) == nil)
        memory.forgetAll()
        memory.remember(KeyDigest(key: "1"), bearer, lifetime: .seconds(60), generation: 0, now: now)
        #expect(memory.count == 0, "what was verified with the keys before counts no more")
    }

    @Test("A key id that is not known has the keys read again, at most every 30 seconds, whoever asks")
    func rotation() async throws {
        let world = try document()
        let desk = try world.desk()
        #expect(await desk.refusal(try issuer.token()) == nil && world.loads == 1)
        world.publish(TokenIssuer.document([try issuer.jwk("RS256", id: "two", other: true)]))
        let fresh = try issuer.token(id: "two", other: true)
        await withTaskGroup(of: EdgeError?.self) { group in
            for _ in 0 ..< 50 { group.addTask { await desk.refusal(fresh) } }
            for await refusal in group { #expect(refusal == nil) }
        }
        #expect(world.loads == 2)
        for number in 0 ..< 50 { #expect(await desk.refusal(try issuer.token(id: "unknown-\(number)"))?.code == "invalid_token") }
        #expect(world.loads == 2)
        world.pass(30)
        for number in 0 ..< 50 { #expect(await desk.refusal(try issuer.token(id: "unknown-\(number)"))?.code == "invalid_token") }
        #expect(world.loads == 3)
    }

    @Test("A token of a key that is gone is refused as soon as that is known")
    func withdrawn() async throws {
        let world = try document()
        let desk = try world.desk()
        let token = try issuer.token()
        #expect(await desk.refusal(token) == nil)
        world.publish(TokenIssuer.document([try issuer.jwk("RS256", id: "two", other: true)]))
        await desk.keys.reload()
        #expect(await desk.refusal(token)?.message.contains("kid") == true)
    }

    @Test("Without keys a token is answered 503, and the first that finds them is taken")
    func none() async throws {
        let world = try document()
        world.fail()
        let desk = try world.desk()
        let refusal = try #require(await desk.refusal(try issuer.token()))
        #expect(refusal.status == 503 && refusal.code == "identity_unavailable" && refusal.shouldRetry)
        for _ in 0 ..< 20 { _ = await desk.refusal(try issuer.token()) }
        #expect(world.loads == 1, "a second has not passed")
        #expect(world.troubles.count == 1 && world.troubles[0]?.reason.contains("cannot be checked") == true)
        world.publish(TokenIssuer.document([try issuer.jwk("RS256", id: "one")]))
        world.pass(1)
        #expect(await desk.refusal(try issuer.token()) == nil)
        #expect(world.troubles.count == 2 && world.troubles[1] == nil)
    }

    @Test("Keys that cannot be read again serve for a day, which is told, and no longer")
    func away() async throws {
        let world = try document()
        let desk = try world.desk("leeway: 0s")
        await desk.keys.reload()
        world.fail()
        await desk.keys.reload()
        #expect(desk.keys.trouble?.reason.contains("24 h") == true && desk.keys.trouble?.reason.contains("it is away") == true)
        let claims = TokenIssuer.claims([("exp", .int(Int64(TokenIssuer.start + 200_000)))])
        world.pass(86_400)
        #expect(await desk.refusal(try issuer.token("RS256", claims)) == nil)
        world.pass(1)
        #expect(
            await desk.refusal(
                try issuer.token("RS256", TokenIssuer.claims([("exp", .int(Int64(TokenIssuer.start + 200_001)))])))?
                .code == "identity_unavailable")
        world.publish(TokenIssuer.document([try issuer.jwk("RS256", id: "one")]))
        await desk.keys.reload()
        #expect(desk.keys.trouble == nil)
        #expect(await desk.refusal(try issuer.token("RS256", claims)) == nil)
    }

    @Test("A document that is broken changes nothing but that it is told")
    func broken() async throws {
        let world = try document()
        let desk = try world.desk()
        #expect(await desk.refusal(try issuer.token()) == nil)
        world.publish(TokenIssuer.document([["kty": "oct", "k": "AAAA"]]))
        await desk.keys.reload()
        #expect(desk.keys.trouble?.reason.contains("symmetric") == true)
        #expect(await desk.refusal(try issuer.token()) == nil)
    }

    @Test("However many ask at once, the document is read once")
    func once() async throws {
        let world = try document()
        let desk = try world.desk()
        let token = try issuer.token()
        await withTaskGroup(of: EdgeError?.self) { group in
            for _ in 0 ..< 100 { group.addTask { await desk.refusal(token) } }
            for await refusal in group { #expect(refusal == nil) }
        }
        #expect(world.loads == 1)
    }
}
