import BulkheadCore
import Foundation
import NIOCore
import RedisFixture
import SessionService
import Testing

/// Figures for people, written to the file BULKHEAD_LIMIT_FIGURES names; nothing is asserted about them.
@Suite("How long a decision takes", .enabled(if: ProcessInfo.processInfo.environment["BULKHEAD_LIMIT_FIGURES"] != nil))
struct LimitFigures {
    private static let rules: [LimitRule] = {
        let subject = LimitSubject.identity(tenant: "acme", .user("ada"))
        return [
            LimitRule(.requests, subject, most: 10_000_000), LimitRule(.tokens, subject, most: 1_000_000_000_000),
            LimitRule(.places, subject, most: 1_000_000),
            LimitRule(.budget(windowMilliseconds: 86_400_000), subject, most: 1 << 52),
        ]
    }()

    private func question(_ number: Int) -> LimitQuestion {
        LimitQuestion(tenant: "acme", admission: "r\(number)", rules: Self.rules, run: 1, tokens: 900, nanousd: 5000)
    }

    private func note(_ line: String) throws {
        let path = ProcessInfo.processInfo.environment["BULKHEAD_LIMIT_FIGURES"] ?? "/dev/null"
        let old = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        try (old + line + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    }

    private func seeds(_ now: Double) -> [Int: BudgetSeed] {
        [3: BudgetSeed(start: Int64((now / 86_400_000_000).rounded(.down) * 86_400_000_000), spent: 0)]
    }

    @Test("in process: decisions and their ends a second")
    func local() throws {
        let limits = LocalLimits()
        let now = 1_800_000_000_000_000.0
        let seeds = seeds(now)
        let count = 400_000
        let began = MonotonicTime.now()
        for number in 0 ..< count {
            _ = limits.ask(question(number), seeds: seeds, now: now + Double(number))
            _ = limits.settle(
                LimitSettlement(tenant: "acme", admission: "r\(number)", tokens: 700, nanousd: 4000, ran: true),
                now: now + Double(number))
        }
        let took = MonotonicTime.now() - began
        try note("local_decisions_per_s \(count * 1_000_000 / Int(took.nanosecondsClamped / 1000)) (each with its end, 4 rules)")
    }

    @Test("in Redis on a Unix socket: the median of one decision")
    func redis() async throws {
        let server = try RedisServer()
        try await withClient(server.address) { client in
            try await eventually("redis is ready") { client.isReady }
            let shared = SharedLimits(client, store: "one") { _, _ in }
            let seeds = seeds(Double(Moment.now().unixMilliseconds) * 1000)
            var took: [Int64] = []
            for number in 0 ..< 5000 {
                let began = MonotonicTime.now()
                _ = try await shared.ask(question(number), seeds: seeds)
                took.append((MonotonicTime.now() - began).nanosecondsClamped / 1000)
                _ = try await shared.settleNow(LimitSettlement(tenant: "acme", admission: "r\(number)", tokens: 700))
            }
            took.sort()
            try note("redis_decision_p50_us \(took[took.count / 2]) p99 \(took[took.count * 99 / 100]) (4 rules)")
        }
    }
}
