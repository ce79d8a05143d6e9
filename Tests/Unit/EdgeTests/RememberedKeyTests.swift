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

    @Test("No more is spent than what was left by session's last word, by all keys of its owner together")
    func remainder() {
        var memory = memory(left: 100)
        #expect(take(60, &memory, one) != nil && take(60, &memory, two) == nil && take(40, &memory, two) != nil)
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
        memory.giveBack(70, cheap)
        #expect(take(91, &memory, one) == nil)
        let dear = try #require(take(10, &memory, one))
        memory.giveBack(-80, dear)
        #expect(take(1, &memory, one) == nil)
    }

    @Test("A new window brings the whole budget back")
    func window() {
        var memory = memory(left: 0)
        #expect(take(1, &memory, one) == nil && take(1000, &memory, one, after: 60) != nil)
        #expect(take(1, &memory, one, after: 61) == nil)
    }

    @Test("Session's next word counts for more than what was held back before it")
    func nextWord() throws {
        var memory = memory(left: 100)
        let hold = try #require(take(100, &memory, one))
        memory.remember(one, reply("1", left: 30), now: start + .seconds(1))
        memory.giveBack(100, hold)
        #expect(take(31, &memory, one, after: 1) == nil && take(30, &memory, one, after: 1) != nil)
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
        #expect(take(41, &memory, two) == nil && take(40, &memory, two) != nil)
        guard case .overBudget(let budget) = memory.admit(two, counts: true, now: start) else {
            Issue.record("the tenant's budget is spent")
            return
        }
        #expect(budget.scope == "tenant")
        memory.giveBack(60, hold)
        #expect(take(31, &memory, two) == nil, "of its own 30 are left")
        #expect(take(30, &memory, two) != nil)
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
        #expect(take(31, &memory, one) == nil && take(30, &memory, one) != nil)
        memory.remember(one, reply("1", left: 30), now: start)
        #expect(take(30, &memory, one) != nil, "session has heard of it")
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

    @Test("What is held back comes back once: what the request did not cost, or all when nobody says what it cost nothing of")
    func hold() {
        let given = Mutex<[Int]>([])
        func make() -> HeldBack { HeldBack(50) { rest in given.withLock { $0.append(rest) } } }
        let settled = make()
        settled.spend(20)
        settled.spend(0)
        make().spend(nil)
        _ = make()
        #expect(given.withLock { $0 } == [30, 0, 50])
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
        #expect(memory.admit(one, counts: true, tokens: 10, now: start) == .limited(retryAfter: .seconds(1)))
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
