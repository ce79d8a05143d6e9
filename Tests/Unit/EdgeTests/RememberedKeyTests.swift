import BulkheadAPI
import BulkheadCore
import EdgeService
import Synchronization
import Testing

@Suite("Remembered keys: fresh words, changes, budgets")
struct RememberedKeyTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let key = KeyDigest(key: "bh_a")
    private let route = "/v1/models"

    private func reply(_ id: String = "k", tenant: String = "t", user: String = "") -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(verdict: .admitted, keyID: id, tenant: tenant, user: user)
    }

    private func watched() -> KeyMemory {
        var memory = KeyMemory()
        memory.watchBegan(now: start)
        memory.remember(key, reply(), now: start)
        return memory
    }

    @Test("While session tells of changes, its word holds for a minute for questions that count nothing")
    func fresh() {
        let memory = watched()
        #expect(memory.fresh(key, route: route, now: start + .seconds(60)) != nil)
        #expect(memory.fresh(key, route: route, now: start + .seconds(60) + .nanoseconds(1)) == nil)
        #expect(memory.fresh(KeyDigest(key: "bh_b"), route: route, now: start) == nil)
    }

    @Test("Without a watch, and of words from before it, session is asked again; they still count while it is away")
    func unwatched() {
        var memory = watched()
        memory.watchEnded()
        #expect(memory.fresh(key, route: route, now: start) == nil)
        memory.watchBegan(now: start + .seconds(1))
        #expect(memory.fresh(key, route: route, now: start + .seconds(1)) == nil)
        #expect(memory.knows(key, now: start + .seconds(800)))
    }

    @Test("A key that is told to have ended is forgotten at once, and so are those of a tenant, or all")
    func changes() {
        for change in [SessionAPI.WatchKeysReply(keyIds: ["k"]), .init(tenants: ["t"]), .init(all: true)] {
            var memory = watched()
            memory.remember(KeyDigest(key: "bh_b"), reply("other", tenant: "u"), now: start)
            memory.take(change, now: start + .seconds(1))
            #expect(!memory.knows(key, now: start + .seconds(1)))
            #expect(memory.count == (change.all ? 0 : 1))
        }
    }

    @Test("The first word of a watch forgets nothing")
    func firstWord() {
        var memory = watched()
        memory.take(SessionAPI.WatchKeysReply(), now: start + .seconds(1))
        #expect(memory.knows(key, now: start + .seconds(1)))
    }

    @Test("An admission that was asked for before a change is not remembered")
    func overtaken() {
        var memory = watched()
        memory.take(SessionAPI.WatchKeysReply(keyIds: ["k"]), now: start + .seconds(2))
        memory.remember(key, reply(), askedAt: start + .seconds(1), now: start + .seconds(3))
        #expect(!memory.knows(key, now: start + .seconds(3)))
        memory.remember(key, reply(), askedAt: start + .seconds(3), now: start + .seconds(4))
        #expect(memory.knows(key, now: start + .seconds(4)))
    }

    @Test("A key may use the routes of its scopes and no other, whichever it was seen on")
    func scopes() {
        var memory = KeyMemory()
        memory.watchBegan(now: start)
        var known = reply()
        known.scopes = ["read", "a scope of a later version"]
        memory.remember(key, known, now: start)
        #expect(memory.fresh(key, route: route, now: start) != nil && memory.fresh(key, route: "/metrics", now: start) == nil)
        for (route, answer) in [
            ("/v1/chat/completions", KeyMemory.Answer.scopeRefused), ("/v1/call/{destination}", .scopeRefused),
        ] {
            #expect(memory.admit(key, counts: true, route: route, now: start) == answer)
        }
        #expect(memory.admit(key, counts: false, route: "/v1/call", now: start) == .admitted(known))
    }

    @Test("A key that expires while session is away is refused from that moment on, as from when session was asked")
    func expiry() {
        var memory = KeyMemory()
        memory.watchBegan(now: start)
        var known = reply()
        known.expiresInMS = 10_000
        memory.remember(key, known, askedAt: start, now: start + .seconds(1))
        let last = start + .nanoseconds(9_999_999_999)
        #expect(
            memory.fresh(key, route: route, now: last) != nil && memory.fresh(key, route: route, now: start + .seconds(10)) == nil
        )
        #expect(memory.admit(key, counts: true, now: last) == .admitted(known))
        #expect(memory.admit(key, counts: true, now: start + .seconds(10)) == .expired)
        #expect(memory.admit(key, counts: false, now: start + .seconds(10)) == .expired)
    }

    @Test("The list of models counts while session is away, beginnings of names too")
    func models() {
        var memory = KeyMemory()
        var known = reply()
        known.models = ["assistant", "small-*"]
        memory.remember(key, known, now: start)
        for model in ["", "assistant", "small-one"] {
            #expect(memory.admit(key, counts: true, model: model, now: start) == .admitted(known))
        }
        for model in ["assistants", "large", "small"] {
            #expect(memory.admit(key, counts: true, model: model, now: start) == .modelRefused)
        }
    }

    @Test("Of a bearer each token says itself what it may: the one that session judged may cover more, or less")
    func tokens() {
        var memory = watched()
        var known = reply()
        (known.scopes, known.models) = (["models"], ["assistant"])
        memory.remember(key, known, now: start)
        func ask(_ route: String, _ model: String, scopes: [String] = [], models: [String] = []) -> KeyMemory.Answer {
            let token = SessionAPI.TokenIdentity(scopes: scopes, models: models)
            return memory.admit(key, counts: true, route: route, model: model, token: token, now: start)
        }
        let chat = "/v1/chat/completions"
        #expect(ask(chat, "large") == .admitted(known) && ask(chat, "large", models: ["assistant"]) == .modelRefused)
        #expect(ask(chat, "assistant", scopes: ["read"]) == .scopeRefused)
        #expect(ask(chat, "assistant", scopes: ["read", "models"], models: ["assistant"]) == .admitted(known))
        #expect(memory.fresh(key, route: route, token: .init(scopes: ["none"]), now: start) == nil)
        #expect(memory.fresh(key, route: route, token: .init(scopes: ["read"]), now: start) != nil)
    }

    @Test("Who may not spend may not while session is away either; what counts nothing is answered")
    func frozen() {
        var memory = KeyMemory()
        var told = reply()
        told.spendFrozen = true
        memory.remember(key, told, now: start)
        #expect(memory.admit(key, counts: true, now: start) == .spendFrozen)
        #expect(memory.admit(key, counts: false, now: start) == .admitted(told))
        memory.remember(key, reply(), now: start)
        memory.freeze(key)
        #expect(memory.admit(key, counts: true, now: start) == .spendFrozen)
    }

    @Test("A freeze of spending forgets no key: it refuses those it concerns until it ends, each by itself")
    func freezes() {
        var memory = watched()
        let other = KeyDigest(key: "bh_b")
        memory.remember(other, reply("other", tenant: "u"), now: start)
        func told(_ freezes: SessionAPI.SpendFreezes) -> [Bool] {
            memory.take(.init(freezes: freezes), now: start + .seconds(1))
            #expect(memory.count == 2 && memory.fresh(key, route: route, now: start + .seconds(1)) != nil)
            return [key, other].map { memory.admit($0, counts: true, now: start + .seconds(1)) == .spendFrozen }
        }
        #expect(told(.init(everybody: true)) == [true, true])
        #expect(told(.init(everybody: true, tenants: ["u"])) == [true, true])
        #expect(told(.init(tenants: ["u"])) == [false, true])
        #expect(told(.init()) == [false, false])
    }

    @Test("An answer that was asked for before a freeze, or before its end, does not count for more than the word on it")
    func overtakenByFreeze() {
        var memory = watched()
        memory.take(.init(freezes: .init(everybody: true)), now: start + .seconds(2))
        memory.remember(key, reply(), askedAt: start + .seconds(1), now: start + .seconds(3))
        #expect(memory.admit(key, counts: true, now: start + .seconds(3)) == .spendFrozen)
        memory.take(.init(freezes: .init()), now: start + .seconds(5))
        memory.freeze(key, askedAt: start + .seconds(4))
        #expect(memory.admit(key, counts: true, now: start + .seconds(5)) == .admitted(reply()))
        memory.freeze(key, askedAt: start + .seconds(6))
        #expect(memory.admit(key, counts: true, now: start + .seconds(6)) == .spendFrozen)
    }

    @Test("When one key's tenant is blocked all its keys are forgotten")
    func blocked() {
        var memory = watched()
        memory.remember(KeyDigest(key: "bh_b"), reply("sister"), now: start)
        memory.remember(KeyDigest(key: "bh_c"), reply("other", tenant: "u"), now: start)
        memory.forgetTenant(of: key)
        #expect(memory.count == 1 && memory.knows(KeyDigest(key: "bh_c"), now: start))
    }

    @Test("The tenant of a key is known as long as the key")
    func tenant() {
        let memory = watched()
        #expect(memory.tenant(key, now: start) == "t" && memory.tenant(key, now: start + .seconds(901)) == nil)
    }
}

@Suite("Budgets while session is away")
struct BudgetMemoryTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let one = KeyDigest(key: "bh_1")
    private let two = KeyDigest(key: "bh_2")

    private func reply(_ id: String, left: Int, scope: String = "tenant", user: String = "") -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(
            verdict: .admitted, keyID: id, tenant: "t", user: user,
            budget: .init(limit: 1000, remaining: left, resetMS: 60_000, windowMS: 3_600_000, scope: scope))
    }

    private func memory(left: Int, scope: String = "tenant", users: (String, String) = ("", "")) -> KeyMemory {
        var memory = KeyMemory()
        memory.remember(one, reply("1", left: left, scope: scope, user: users.0), now: start)
        memory.remember(two, reply("2", left: left, scope: scope, user: users.1), now: start)
        return memory
    }

    private func take(_ amount: Int, _ memory: inout KeyMemory, _ key: KeyDigest, after seconds: Int = 0) -> BudgetMemory.Hold? {
        if case .held(let hold) = memory.hold(amount, key, now: start + .seconds(seconds)) { hold } else { nil }
    }

    /// What the key could still spend.
    private func left(_ memory: inout KeyMemory, _ key: KeyDigest, after seconds: Int = 0) -> Int? {
        memory.told(key, .unknown, now: start + .seconds(seconds))?.budget?.remaining
    }

    @Test("No more is spent than what was left by session's last word, by all keys of its owner together")
    func remainder() {
        var memory = memory(left: 100)
        #expect(take(60, &memory, one) != nil && take(40, &memory, two) != nil && take(1, &memory, two) == nil)
        guard case .overBudget(let budget) = memory.admit(one, counts: true, now: start + .seconds(20)) else {
            Issue.record("nothing is left")
            return
        }
        #expect(budget.resetMS == 40_000 && budget.remaining == 0)
        #expect(memory.admit(one, counts: false, now: start) != .unknown, "what costs nothing goes on")
    }

    @Test("What a request did not cost comes back, what it cost beyond its estimate is gone")
    func actual() throws {
        var memory = memory(left: 100)
        let cheap = try #require(take(80, &memory, one))
        memory.settle(10, cheap)
        #expect(left(&memory, one) == 90)
        let dear = try #require(take(10, &memory, one))
        memory.settle(90, dear)
        #expect(left(&memory, one) == 0 && take(1, &memory, one) == nil)
    }

    @Test("A request that may cost more than is left runs, and holds what is left; what it cost is gone of each of its budgets")
    func estimateAboveRest() throws {
        var memory = KeyMemory()
        for (digest, id) in [(one, "1"), (two, "2")] {
            var told = reply(id, left: 60, scope: "key")
            told.otherBudgets = [.init(limit: 1000, remaining: 100, resetMS: 60_000, windowMS: 86_400_000, scope: "tenant")]
            memory.remember(digest, told, now: start)
        }
        let hold = try #require(take(90, &memory, one))
        #expect(take(1, &memory, one) == nil, "all of the key's own is held")
        #expect(left(&memory, two) == 10, "90 of the tenant's are")
        memory.settle(30, hold)
        #expect(left(&memory, one) == 30 && left(&memory, two) == 60, "the tenant has 70, the other key 60")
        let dear = try #require(take(500, &memory, one))
        memory.settle(45, dear)
        #expect(left(&memory, one) == 0 && left(&memory, two) == 25)
    }

    @Test("Nobody knows what a request cost: what was held back of each budget counts as spent")
    func unknownCost() throws {
        var memory = memory(left: 100)
        let hold = try #require(take(60, &memory, one))
        memory.settle(nil, hold)
        #expect(left(&memory, one) == 40)
    }

    @Test("A new window brings the whole budget back")
    func window() {
        var memory = memory(left: 0)
        #expect(take(1, &memory, one) == nil && left(&memory, one, after: 60) == 1000)
        #expect(take(1000, &memory, one, after: 60) != nil)
        #expect(take(1, &memory, one, after: 61) == nil)
    }

    @Test("Session's next word counts for more than what was held back before it")
    func nextWord() throws {
        var memory = memory(left: 100)
        let hold = try #require(take(100, &memory, one))
        memory.remember(one, reply("1", left: 30), now: start + .seconds(1))
        memory.settle(0, hold)
        #expect(left(&memory, one, after: 1) == 30)
    }

    @Test("All budgets of a key hold: what one key spends of its tenant's is gone for the others")
    func several() throws {
        var memory = KeyMemory()
        for (digest, id, left) in [(one, "1", 60), (two, "2", 70)] {
            var told = reply(id, left: left, scope: "key")
            told.otherBudgets = [.init(limit: 1000, remaining: 100, resetMS: 60_000, windowMS: 86_400_000, scope: "tenant")]
            memory.remember(digest, told, now: start)
        }
        let hold = try #require(take(60, &memory, one))
        #expect(left(&memory, two) == 40 && take(40, &memory, two) != nil)
        guard case .overBudget(let budget) = memory.admit(two, counts: true, now: start) else {
            Issue.record("the tenant's budget is spent")
            return
        }
        #expect(budget.scope == "tenant")
        memory.settle(0, hold)
        #expect(left(&memory, two) == 30, "of its own 30 are left")
    }

    @Test("A key's own budget and that of the users its requests name are two")
    func usersOfKey() {
        var memory = KeyMemory()
        var told = reply("1", left: 50, scope: "key")
        told.otherBudgets = [.init(limit: 1000, remaining: 80, resetMS: 60_000, windowMS: 3_600_000, scope: "user")]
        memory.remember(one, told, now: start)
        #expect(take(50, &memory, one) != nil && take(1, &memory, one) == nil)
    }

    @Test("What session does not know of yet is taken off its word")
    func owed() {
        var memory = KeyMemory()
        memory.remember(one, reply("1", left: 100), now: start) { $0 == .tenant("t") ? 70 : 0 }
        #expect(left(&memory, one) == 30)
        memory.remember(one, reply("1", left: 30), now: start)
        #expect(left(&memory, one) == 30, "session has heard of it")
    }

    @Test("Users have budgets of their own")
    func users() {
        var memory = memory(left: 100, scope: "user", users: ("anna", "bert"))
        #expect(take(100, &memory, one) != nil && take(100, &memory, two) != nil && take(1, &memory, one) == nil)
    }

    @Test("A key without a budget spends what it likes")
    func unlimited() {
        var memory = KeyMemory()
        memory.remember(one, SessionAPI.AdmitReply(verdict: .admitted, keyID: "1", tenant: "t"), now: start)
        guard case .unlimited = memory.hold(.max, one, now: start) else {
            Issue.record("there is no budget")
            return
        }
    }

    @Test("What is held back is settled once: with what the request used, or with nothing when nobody says a word on it")
    func hold() {
        let told = Mutex<[Int?]>([])
        func make() -> HeldBack { HeldBack { used in told.withLock { $0.append(used) } } }
        let settled = make()
        settled.spend(20)
        settled.spend(0)
        make().spend(nil)
        _ = make()
        #expect(told.withLock { $0 } == [20, nil, 0])
    }

    @Test("Tokens a minute are held to: what a request may cost when it begins, what it cost when it ends")
    func tokens() {
        var memory = KeyMemory()
        let limit = SessionAPI.RateLimit(limit: 600, remaining: 100)
        memory.remember(one, SessionAPI.AdmitReply(verdict: .admitted, keyID: "key_1", tenant: "acme", tokens: limit), now: start)
        func ask(_ tokens: Int) -> Bool {
            if case .admitted = memory.admit(one, counts: true, tokens: tokens, now: start) { true } else { false }
        }
        #expect(ask(80) && !ask(30))
        memory.end(one, unused: 60, since: start, now: start)
        #expect(ask(70) && !ask(20))
        // More than it said it may cost: the next waits for it.
        memory.end(one, unused: -10, since: start, now: start)
        #expect(!ask(1))
        #expect(memory.admit(one, counts: true, tokens: 10, now: start) == .limited(retryAfter: .seconds(1), by: .tokens))
    }

    @Test("No more requests at once than session let; the end of each gives its place back, once session's word is as old")
    func places() {
        var memory = KeyMemory()
        let limit = SessionAPI.RateLimit(limit: 2, remaining: 1)
        let reply = SessionAPI.AdmitReply(verdict: .admitted, keyID: "key_1", tenant: "acme", concurrency: limit)
        memory.remember(one, reply, now: start)
        func isAdmitted() -> Bool { memory.admit(one, counts: true, now: start) == .admitted(reply) }
        #expect(isAdmitted() && isAdmitted() && !isAdmitted())
        memory.end(one, unused: 0, since: start, now: start)
        #expect(isAdmitted() && !isAdmitted())
        memory.remember(one, reply, now: start + .seconds(1))
        #expect(isAdmitted() && isAdmitted() && !isAdmitted())
        memory.end(one, unused: 0, since: start, now: start + .seconds(1))
        #expect(!isAdmitted())
    }
}

@Suite("What is told of limits while session is away")
struct RememberedLimitTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let key = KeyDigest(key: "bh_a")

    private func memory() -> KeyMemory {
        var memory = KeyMemory()
        let reply = SessionAPI.AdmitReply(
            verdict: .admitted, keyID: "k", tenant: "t",
            requests: .init(limit: 60, remaining: 2, resetMS: 58_000, scope: "user"),
            tokens: .init(limit: 600, remaining: 300, resetMS: 30_000, scope: "tenant"),
            concurrency: .init(limit: 3, remaining: 1, scope: "key"),
            budget: .init(limit: 1000, remaining: 100, resetMS: 60_000, windowMS: 3_600_000, scope: "key"))
        memory.remember(key, reply, now: start)
        return memory
    }

    private func ask(_ memory: inout KeyMemory, weight: Int = 1, cost: Int = 0) -> SessionAPI.AdmitReply? {
        let answer = memory.admit(key, counts: true, weight: weight, tokens: 100, now: start)
        if case .admitted = answer { _ = memory.hold(cost, key, now: start) }
        return memory.told(key, answer, now: start)
    }

    @Test("What is left after the request, and when it is whole again")
    func admitted() throws {
        var memory = memory()
        let told = try #require(ask(&memory, cost: 40))
        #expect(told.verdict == .admitted && told.limitsLocal)
        #expect(told.requests == SessionAPI.RateLimit(limit: 60, remaining: 1, resetMS: 59_000, scope: "user"))
        #expect(told.tokens == SessionAPI.RateLimit(limit: 600, remaining: 200, resetMS: 40_000, scope: "tenant"))
        #expect(told.concurrency?.remaining == 2)
        #expect(told.budget?.remaining == 60 && told.budget?.resetMS == 60_000)
    }

    @Test("The limit that refused says when it admits again, and the refusal says that session was away")
    func limited() throws {
        var memory = memory()
        _ = ask(&memory)
        _ = ask(&memory)
        let told = try #require(ask(&memory))
        #expect(told.verdict == .rateLimited && told.requests?.retryAfterMS == 1000 && told.requests?.remaining == 0)
        #expect(told.tokens?.retryAfterMS == 0 && told.tokens?.remaining == 100)
        let error = CallerLimits(told).refusal(told)
        #expect(error.violated == ["user-requests"] && error.degraded == ["session"])
        #expect(error.message.hasPrefix("The limit of 60 requests per minute of this user is reached"))
    }

    @Test("A request above its limit is not to be tried again")
    func tooHeavy() throws {
        var memory = memory()
        let told = try #require(ask(&memory, weight: 61))
        #expect(told.verdict == .costAboveLimit && CallerLimits(told).refusal(told).code == "cost_above_limit")
    }

    @Test("A budget that requests still hold is told to be reserved; one that they spent, to be spent")
    func budget() throws {
        var memory = memory()
        _ = memory.admit(key, counts: true, now: start)
        guard case .held(let hold) = memory.hold(500, key, now: start) else {
            Issue.record("something is left")
            return
        }
        let reserved = try #require(ask(&memory))
        let shortly = CallerLimits(reserved).refusal(reserved)
        #expect(reserved.verdict == .budgetExceeded && shortly.message.contains("is reserved by requests that run"))
        #expect(shortly.retryAdvice == true && shortly.violated == ["key-budget"])
        memory.settle(nil, hold)
        let spent = try #require(ask(&memory))
        let late = CallerLimits(spent).refusal(spent)
        #expect(late.message.contains("is spent. It begins anew in 1 min") && late.retryAdvice == false)
        #expect(late.violated == ["key-budget"] && late.degraded == ["session"])
    }
}
