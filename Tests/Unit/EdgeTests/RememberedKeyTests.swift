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
        memory.remember(key, reply(), route: route, now: start)
        return memory
    }

    @Test("While session tells of changes, its word holds for a minute for questions that count nothing")
    func fresh() {
        let memory = watched()
        #expect(memory.fresh(key, route: route, now: start + .seconds(60)) != nil)
        #expect(memory.fresh(key, route: route, now: start + .seconds(60) + .nanoseconds(1)) == nil)
        #expect(memory.fresh(key, route: "/v1/call", now: start) == nil, "its scopes may not cover another route")
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
            memory.remember(KeyDigest(key: "bh_b"), reply("other", tenant: "u"), route: route, now: start)
            memory.forget(change, now: start + .seconds(1))
            #expect(!memory.knows(key, now: start + .seconds(1)))
            #expect(memory.count == (change.all ? 0 : 1))
        }
    }

    @Test("The first word of a watch forgets nothing")
    func firstWord() {
        var memory = watched()
        memory.forget(SessionAPI.WatchKeysReply(), now: start + .seconds(1))
        #expect(memory.knows(key, now: start + .seconds(1)))
    }

    @Test("An admission that was asked for before a change is not remembered")
    func overtaken() {
        var memory = watched()
        memory.forget(SessionAPI.WatchKeysReply(keyIds: ["k"]), now: start + .seconds(2))
        memory.remember(key, reply(), route: route, askedAt: start + .seconds(1), now: start + .seconds(3))
        #expect(!memory.knows(key, now: start + .seconds(3)))
        memory.remember(key, reply(), route: route, askedAt: start + .seconds(3), now: start + .seconds(4))
        #expect(memory.knows(key, now: start + .seconds(4)))
    }

    @Test("A route the key's scopes do not cover stays refused while session is away")
    func scopes() {
        var memory = watched()
        memory.refuse(key, route: "/v1/call")
        #expect(memory.admit(key, counts: true, route: "/v1/call", now: start) == .scopeRefused)
        #expect(memory.admit(key, counts: true, route: route, now: start) != .scopeRefused)
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
        func make() -> SpendHold { SpendHold(50) { rest in given.withLock { $0.append(rest) } } }
        let settled = make()
        settled.spend(20)
        settled.spend(0)
        make().spend(nil)
        _ = make()
        #expect(given.withLock { $0 } == [30, 50])
    }
}
