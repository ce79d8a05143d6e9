import BulkheadCore
import BulkheadRedis
import NIOCore
import RedisFixture
import SessionService
import Testing

@Suite("Limits in Redis, shared by suites") struct SharedLimitTests {
    private let places = [LimitRule(.places, .tenant("acme"), most: 2)]
    private let requests = [LimitRule(.requests, .tenant("acme"), most: 60)]
    private let budget = [LimitRule(.budget(windowMilliseconds: 86_400_000), .tenant("acme"), most: 1000)]

    private func with(
        _ server: RedisServer, _ body: @escaping @Sendable (RedisClient) async throws -> Void
    ) async throws {
        try await withClient(server.address) { client in
            try await eventually("redis is ready") { client.isReady }
            try await body(client)
        }
    }

    @Test("two suites hold one limit, and a new edge of one frees nothing of the other's")
    func holders() async throws {
        let places = places
        try await with(try RedisServer()) { client in
            let (one, two) = (try SuiteUnderTest(client, durable: "one"), try SuiteUnderTest(client, durable: "two"))
            #expect(try await one.ask(places, "a", run: 1).isAdmitted)
            #expect(try await two.ask(places, "b", run: 2).isAdmitted)
            #expect(try await !one.ask(places, "c", run: 1).isAdmitted)
            #expect(try await one.ask(places, "d", run: 11).isAdmitted, "its own former edge held one")
            #expect(try await !one.ask(places, "e", run: 11).isAdmitted, "the other suite's edge holds one")
            two.settle("b")
            try await eventually("the place is free") { try await one.ask(places, "f", run: 11).isAdmitted }
        }
    }

    @Test("RL18 what is settled comes back, in every suite")
    func settled() async throws {
        let budget = budget
        try await with(try RedisServer()) { client in
            let (one, two) = (try SuiteUnderTest(client, durable: "both"), try SuiteUnderTest(client, durable: "both"))
            #expect(try await one.ask(budget, "a", nanousd: 900).isAdmitted)
            #expect(try await two.ask(budget, "b", nanousd: 200).standings[0].remaining == 0)
            one.settle("a", nanousd: 300)
            try await eventually("the rest is free") { try await two.ask(budget, "c", nanousd: 700).isAdmitted }
        }
    }

    @Test("a budget is not forgotten with Redis, nor with the session")
    func seeds() async throws {
        let budget = budget
        try await with(try RedisServer()) { client in
            let one = try SuiteUnderTest(client, durable: "one")
            #expect(try await one.ask(budget, "a", nanousd: 800).isAdmitted)
            one.settle("a", nanousd: 1000)
            try await one.spend.flush(one.store)
            _ = try await client.word("FLUSHALL")
            _ = try await client.word("FUNCTION", "FLUSH")
            let refused = try await one.ask(budget, "b", nanousd: 300)
            #expect(!refused.isAdmitted && refused.standings[0].remaining == 0 && !refused.isLocal)
            let other = try SuiteUnderTest(client, durable: "two")
            #expect(try await !other.ask(budget, "c", nanousd: 300).isAdmitted)
        }
    }

    @Test("RL20 without Redis each suite gives its share of what was left, at once, and says so; no burst on return")
    func away() async throws {
        let server = try RedisServer()
        let requests = requests
        try await with(server) { client in
            let suites = [try SuiteUnderTest(client, durable: "one"), try SuiteUnderTest(client, durable: "two")]
            for (name, suite) in zip(["one", "two"], suites) { await suite.desk.beat(name, now: suite.now) }
            await suites[0].desk.beat("one", now: suites[0].now)
            #expect(try await suites[0].admitted(20, requests, "a") == 20)
            #expect(try await suites[1].ask(requests, "b").standings[0].remaining == 39)
            server.kill()
            try await eventually("redis is away") { !client.isReady }
            let alone = try await suites[0].ask(requests, "c")
            #expect(alone.isLocal && alone.isAdmitted && alone.standings[0].limit == 30)
            let given = [try await suites[0].admitted(60, requests, "d"), try await suites[1].admitted(60, requests, "e")]
            #expect(given[0] <= 20 && given[1] <= 20 && given.allSatisfy { $0 >= 18 }, "\(given)")
            try server.start()
            try await eventually("redis is back") { client.isReady }
            for suite in suites { #expect(try await suite.admitted(60, requests, "f") == 0, "no burst") }
            for suite in suites { suite.now = suite.now + .seconds(61) }
            #expect(try await suites[0].ask(requests, "g").isAdmitted)
            #expect(suites[0].record.all.count == 2 && suites[0].record.all.last == .some(nil))
        }
    }

    @Test("RL20 a suite that knew of the others keeps to its share when it lost Redis while it learned of them")
    func learned() async throws {
        let server = try RedisServer()
        let requests = requests
        try await with(server) { client in
            let suites = [try SuiteUnderTest(client, durable: "one"), try SuiteUnderTest(client, durable: "two")]
            #expect(await suites[0].desk.beat("one", now: suites[0].now))
            #expect(try await suites[0].ask(requests, "a").isAdmitted)
            #expect(await suites[1].desk.beat("two", now: suites[1].now))
            #expect(await suites[0].desk.beat("one", now: suites[0].now))
            server.kill()
            try await eventually("redis is away") { !client.isReady }
            #expect(await !suites[0].desk.beat("one", now: suites[0].now))
            #expect(try await suites[0].ask(requests, "b").standings[0].limit == 30)
        }
    }

    @Test("RL20 a frozen Redis costs its callers a moment, and none a refusal")
    func frozen() async throws {
        let server = try RedisServer()
        let requests = requests
        try await with(server) { client in
            let suite = try SuiteUnderTest(client, durable: "one")
            #expect(try await suite.ask(requests, "a").isAdmitted)
            server.freeze()
            defer { server.thaw() }
            let began = ContinuousClock().now
            #expect(try await suite.admitted(30, requests, "b") == 30)
            #expect(ContinuousClock().now - began < .seconds(5))
        }
    }

    @Test("ends that Redis did not hear are told when it is back")
    func untold() async throws {
        let server = try RedisServer("--save", "3600 100000")
        let budget = budget
        try await with(server) { client in
            let (one, two) = (try SuiteUnderTest(client, durable: "both"), try SuiteUnderTest(client, durable: "both"))
            #expect(try await one.ask(budget, "a", nanousd: 900).isAdmitted)
            _ = try await client.word("SAVE")
            server.kill()
            try await eventually("redis is away") { !client.isReady }
            one.settle("a", nanousd: 100)
            try server.start()
            try await eventually("redis is back") { client.isReady }
            one.shared.returned()
            try await eventually("the end is told") { try await two.ask(budget, "b", nanousd: 800).isAdmitted }
        }
    }

    @Test("RL21 a second of lost writes admits that second's requests once more, not more")
    func lostWrites() async throws {
        try await with(try RedisServer()) { client in
            let shared = SharedLimits(client, store: "one") { _, _ in }
            let rule = [LimitRule(.requests, .tenant("acme"), most: 120)]
            var now: Int64 = 1_800_000_000_000_000
            var admitted = 0
            func ask(_ count: Int, every step: Int64) async throws -> Int {
                var admitted = 0
                for number in 0 ..< count {
                    now += step
                    let question = LimitQuestion(tenant: "acme", admission: "r\(number)", rules: rule)
                    if case .decided(let answer) = try await shared.ask(question, time: now), answer.isAdmitted { admitted += 1 }
                }
                return admitted
            }
            admitted += try await ask(100, every: 1000)
            let key = "bh:{t:acme}:q:tenant"
            let kept = try #require(try await client.word("GET", key).bytes)
            let second = try await ask(10, every: 100_000)
            _ = try await client.word("SET", key, String(buffer: kept), "PX", "60000")
            admitted += second + (try await ask(1000, every: 1000))
            #expect(admitted <= 120 + second + 120 * 3 / 60 + 1, "\(admitted), of them \(second) lost")
        }
    }

    @Test("a reset lets requests and tokens count from zero for all suites, and leaves money and places")
    func reset() async throws {
        let rules = requests + places + budget + [LimitRule(.tokens, .tenant("acme"), most: 100)]
        try await with(try RedisServer()) { client in
            let (one, two) = (try SuiteUnderTest(client, durable: "one"), try SuiteUnderTest(client, durable: "one"))
            let question = LimitQuestion(tenant: "acme", admission: "a", rules: rules, tokens: 100, nanousd: 300)
            #expect(try await one.desk.ask(question, now: one.now).isAdmitted)
            #expect(try await two.ask(rules, "b").standings.map(\.remaining) == [58, 0, 700, 0])
            try await one.shared.reset([.tenant("acme")])
            let looked = LimitQuestion(tenant: "acme", admission: "", rules: rules, counts: false)
            #expect(try await two.desk.ask(looked, now: two.now).standings.map(\.remaining) == [60, 0, 700, 100])
        }
    }

    @Test("ends Redis does not hear wait and are counted; beyond the bound the oldest is given up, and counted too")
    func pendingEnds() async throws {
        let server = try RedisServer()
        try await with(server) { client in
            let dropped = SuiteUnderTest.Record()
            let shared = SharedLimits(client, store: "one", dropped: { dropped.note(nil) }) { _, _ in }
            server.kill()
            try await eventually("redis is away") { !client.isReady }
            shared.settle((0 ... SharedLimits.mostUntold).map { LimitSettlement(tenant: "acme", admission: "a\($0)") })
            #expect(shared.untoldCount == SharedLimits.mostUntold && dropped.all.count == 1)
        }
    }

    @Test("RL23 the keys of two tenants never meet, whatever the tenants are called")
    func tenants() async throws {
        try await with(try RedisServer()) { client in
            let shared = SharedLimits(client, store: "one") { _, _ in }
            let names = ["a", "a}:q:tenant", "a}", "{t:a}", "", "a:b", "A", "ä", "%7d"]
            for name in names {
                let question = LimitQuestion(
                    tenant: name, admission: "r", rules: [LimitRule(.requests, .tenant(name), most: 1)])
                guard case .decided(let answer) = try await shared.ask(question) else { throw RedisFailure.garbled }
                #expect(answer.isAdmitted, "\(name)")
            }
            #expect(try await client.word("DBSIZE").integer == names.count)
        }
    }

    @Test("RL24 every key ends by itself, and nobody asks for KEYS or SCAN")
    func ends() async throws {
        let all = requests + places + budget + [LimitRule(.tokens, .tenant("acme"), most: 1000)]
        try await with(try RedisServer()) { client in
            let suite = try SuiteUnderTest(client, durable: "one")
            await suite.desk.beat("one", now: suite.now)
            for name in ["a", "b", "c"] {
                let question = LimitQuestion(tenant: "acme", admission: name, rules: all, run: 4, tokens: 10, nanousd: 100)
                _ = try await suite.desk.ask(question, now: suite.now)
            }
            suite.settle("a", nanousd: 7)
            suite.desk.renew(4, now: suite.now)
            #expect(try await suite.admitted(1, requests, "d") == 1)
            let statistics = try #require(try await client.word("INFO", "commandstats").bytes)
            let told = String(buffer: statistics)
            #expect(told.contains("cmdstat_fcall") && !told.contains("cmdstat_keys") && !told.contains("cmdstat_scan"))
            let keys = try #require(try await client.word("KEYS", "*").array).compactMap { $0.bytes.map { String(buffer: $0) } }
            #expect(keys.count >= 6 && keys.allSatisfy { $0.hasPrefix("bh:{t:acme}:") || $0 == "bh:suites" }, "\(keys)")
            for key in keys { #expect(try await client.word("PTTL", key).integer.map { $0 > 0 } == true, "\(key)") }
        }
    }

    @Test("a Redis without functions is named for what it is, and limits are held by the process")
    func old() async throws {
        let server = try RedisServer("--rename-command", "FCALL", "")
        let requests = requests
        try await with(server) { client in
            let suite = try SuiteUnderTest(client, durable: "one")
            #expect(try await suite.ask(requests, "a").isLocal)
            guard case .refused(let words) = try #require(suite.record.all.first ?? nil) else {
                throw RedisFailure.garbled
            }
            #expect(words.contains("Redis 7"))
        }
    }

    @Test("the functions are loaded again after they were lost")
    func reload() async throws {
        let requests = requests
        try await with(try RedisServer()) { client in
            let suite = try SuiteUnderTest(client, durable: "one")
            for name in ["a", "b"] {
                #expect(try await !suite.ask(requests, name).isLocal)
                _ = try await client.word("FUNCTION", "FLUSH")
            }
        }
    }
}
