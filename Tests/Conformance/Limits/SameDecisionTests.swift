import BulkheadCore
import BulkheadRedis
import NIOCore
import RedisFixture
import SessionService
import Testing

/// A random walk of questions, ends, renewals and time, the same for every store.
private struct Walk {
    enum Step {
        case ask(LimitQuestion)
        case settle(LimitSettlement)
        case renew(Int64)
    }

    private var random: Xorshift
    private(set) var now: Int64 = 1_800_000_000_000_000
    private var names: [String] = []
    private var count = 0
    private let rules: [LimitRule]

    init(seed: UInt64) {
        random = Xorshift(state: seed &* 0x9e37_79b9_7f4a_7c15 | 1)
        let subjects: [LimitSubject] = [
            .identity(tenant: "acme", .user("ada")), .identity(tenant: "acme", .end("b:c")),
            .identity(tenant: "acme", .key("key_1")), .tenant("acme"),
        ]
        var rules: [LimitRule] = []
        for subject in subjects {
            let likeness = LikenessSubject(key: "key_1", identity: .user("ada"), likeness: UInt64(rules.count))
            rules += [
                LimitRule(.requests, subject, most: [3, 7, 600, 90_001][random.next(4)]),
                LimitRule(.tokens, subject, most: [100, 1000, 200_000, 1_000_000_000_000][random.next(4)]),
                LimitRule(.places, subject, most: 1 + random.next(6)),
                LimitRule(
                    .budget(windowMilliseconds: [60_000, 86_400_000][random.next(2)]), subject, most: 1 + random.next(9000)),
                LimitRule(.runaway(likeness, windowMilliseconds: 60_000), subject, most: 2 + random.next(5)),
            ]
        }
        self.rules = rules
    }

    mutating func next() -> Step {
        now += Int64([0, random.next(50_000), random.next(9_000_000), random.next(40_000_000)][random.next(4)])
        switch random.next(10) {
        case 0 ..< 6: return .ask(question())
        case 6 ..< 9 where !names.isEmpty:
            let name = names.remove(at: random.next(names.count))
            if random.next(5) == 0 { names.append(name) }
            return .settle(
                LimitSettlement(
                    tenant: "acme", admission: name, tokens: random.next(3000), nanousd: random.next(1500),
                    ran: random.next(3) > 0, isAbandoned: random.next(8) == 0,
                    otherwise: random.next(4) == 0 ? Array(rules.filter { $0.word == "budget" }.prefix(2)) : []))
        default: return .renew(Int64(random.next(3)))
        }
    }

    private mutating func question() -> LimitQuestion {
        count += 1
        names.append("r\(count)")
        if names.count > 40 { names.removeFirst() }
        let chosen = rules.filter { _ in random.next(3) == 0 }
        return LimitQuestion(
            tenant: "acme", admission: "r\(count)", rules: chosen, run: Int64(random.next(3)),
            weight: 1 + random.next(9) / 7 * random.next(9), tokens: random.next(4) * random.next(700),
            assumed: random.next(600), nanousd: random.next(3) * random.next(900),
            lease: .milliseconds(1 + random.next(120_000)), counts: random.next(12) > 0)
    }
}

@Suite("Local limits and Redis decide alike") struct SameDecisionTests {
    private struct Pair {
        let local = LocalLimits()
        let shared: SharedLimits
        var runs: [String: Int64] = [:]

        /// Asks both, and once more with seeds when they ask for some.
        mutating func ask(_ question: LimitQuestion, _ now: Int64) async throws -> (LimitOutcome, LimitOutcome) {
            runs[question.admission] = question.run
            let first = (local.ask(question, now: Double(now)), try await shared.ask(question, time: now))
            guard first.0 == first.1, case .unseeded(let gaps) = first.0 else { return first }
            var seeds: [Int: BudgetSeed] = [:]
            for gap in gaps { seeds[gap.rule] = BudgetSeed(start: gap.start, spent: Int(gap.start / 1_000_000 % 700)) }
            return (
                local.ask(question, seeds: seeds, now: Double(now)),
                try await shared.ask(question, seeds: seeds, time: now)
            )
        }

        func settle(_ settlement: LimitSettlement, _ now: Int64) async throws -> ([BudgetCrossing], [BudgetCrossing]) {
            let local = local.settle(settlement, now: Double(now)).crossings
            return (local, try await shared.settleNow(settlement, time: now))
        }

        func renew(_ run: Int64, _ now: Int64) async throws {
            _ = local.renew(run, now: Double(now))
            let held = runs.filter { $0.value == run && run != 0 }.map(\.key)
            try await shared.renewNow(["acme": held], time: now)
        }
    }

    @Test("RL15 the same trace gets the same answers, 20 walks of 1000 steps")
    func sameAnswers() async throws {
        let server = try RedisServer()
        try await withClient(server.address) { client in
            try await eventually("redis is ready") { client.isReady }
            var admitted = 0
            var refused = 0
            for seed in 1 ... 20 as ClosedRange<UInt64> {
                _ = try await client.word("FLUSHDB")
                var walk = Walk(seed: seed)
                var pair = Pair(shared: SharedLimits(client, store: "one") { _, _ in })
                for number in 0 ..< 1000 {
                    switch walk.next() {
                    case .ask(let question):
                        let (local, shared) = try await pair.ask(question, walk.now)
                        try #require(local == shared, "walk \(seed), step \(number): \(question)")
                        if case .decided(let answer) = local, answer.isAdmitted { admitted += 1 } else { refused += 1 }
                    case .settle(let settlement):
                        let (local, shared) = try await pair.settle(settlement, walk.now)
                        try #require(local == shared, "walk \(seed), step \(number): \(settlement)")
                    case .renew(let run): try await pair.renew(run, walk.now)
                    }
                }
            }
            #expect(admitted > 1000 && refused > 1000, "the walk tries both: \(admitted) and \(refused)")
        }
    }

    @Test("the ledger balances in Redis too, and is the same")
    func ledger() async throws {
        let server = try RedisServer()
        try await withClient(server.address) { client in
            try await eventually("redis is ready") { client.isReady }
            let subject = LimitSubject.tenant("acme")
            let rule = LimitRule(.budget(windowMilliseconds: 86_400_000), subject, most: 50_000)
            var pair = Pair(shared: SharedLimits(client, store: "one") { _, _ in })
            var random = Xorshift(state: 77)
            var now: Int64 = 20_000 * 86_400_000_000
            for number in 0 ..< 1000 {
                now += Int64(random.next(3_000_000))
                if random.next(2) == 0 {
                    let question = LimitQuestion(
                        tenant: "acme", admission: "r\(number)", rules: [rule], run: 1, nanousd: random.next(600))
                    let (local, shared) = try await pair.ask(question, now)
                    #expect(local == shared)
                } else {
                    let late = LimitSettlement(
                        tenant: "acme", admission: "r\(random.next(number + 1))", nanousd: random.next(300))
                    let (local, shared) = try await pair.settle(late, now)
                    #expect(local == shared)
                }
                guard let expected = pair.local.ledger(subject, windowMilliseconds: 86_400_000) else { continue }
                let reply = try await client.word("HMGET", "bh:{t:acme}:b:86400000:tenant", "s", "R", "S", "L", "r")
                let words = reply.array?.map { $0.bytes.flatMap { Int(String(buffer: $0)) } ?? -1 } ?? []
                try #require(
                    words == [
                        expected.spent, expected.reservedTotal, expected.settledTotal, expected.releasedTotal, expected.open,
                    ], "step \(number)")
                #expect(expected.isBalanced)
            }
        }
    }
}
