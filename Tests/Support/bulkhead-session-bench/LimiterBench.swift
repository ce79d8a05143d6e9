import ArgumentParser
import BenchFigures
import BulkheadCore
import BulkheadIPC
import BulkheadRedis
import Foundation
import Logging
import SessionService

/// Decisions on limits without edge and without IPC: of the process itself, or of a Redis.
struct Limiter: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decide on four limits and end each; print {seconds, took: {p50_us, p99_us, count}, ping: {…}}.")

    @Option(help: "Path of the socket of a Redis that decides; without it this process does.") var redis: String?
    @Option(help: "Decisions to measure.") var count = 400_000

    func run() async throws {
        guard let redis else { return try measureLocal() }
        try await RedisBench.withClient(redis) { try await measureShared($0) }
    }

    private func measureLocal() throws {
        let (limits, questions) = (LocalLimits(), Questions())
        var took: [UInt64] = []
        took.reserveCapacity(count)
        for number in -count / 10 ..< count {
            let time = Questions.start + Double(number)
            let began = MonotonicTime.now()
            let outcome = limits.ask(questions.question(number), seeds: questions.seeds(time), now: time)
            _ = limits.settle(questions.end(number), now: time)
            if number >= 0 { took.append(MonotonicTime.now().nanoseconds - began.nanoseconds) }
            guard case .decided(let answer) = outcome, answer.isAdmitted else {
                throw ValidationError("decision \(number) is \(outcome)")
            }
        }
        let seconds = Double(took.reduce(0, +)) / 1e9
        print(#"{"seconds":\#(seconds),"took":\#(Figures(took).json)}"#)
    }

    private func measureShared(_ client: RedisClient) async throws {
        let (shared, questions) = (SharedLimits(client, store: "bench") { _, _ in }, Questions())
        var (took, ping): ([UInt64], [UInt64]) = ([], [])
        let began = MonotonicTime.now()
        for number in -count / 10 ..< count {
            let seeds = questions.seeds(Double(Moment.now().unixMilliseconds) * 1000)
            let decision = try await timed { _ = try await shared.ask(questions.question(number), seeds: seeds) }
            _ = try await shared.settleNow(questions.end(number))
            let bare = try await timed { _ = try await client.run([RedisCommand("PING")], within: .seconds(1)) }
            if number >= 0 {
                took.append(decision)
                ping.append(bare)
            }
        }
        let seconds = (MonotonicTime.now() - began).milliseconds / 1000
        print(#"{"seconds":\#(seconds),"took":\#(Figures(took).json),"ping":\#(Figures(ping).json)}"#)
    }

    private func timed(_ body: () async throws -> Void) async throws -> UInt64 {
        let began = MonotonicTime.now()
        try await body()
        return MonotonicTime.now().nanoseconds - began.nanoseconds
    }
}

/// Questions of one user on requests, tokens, places and a budget, none of which is reached.
struct Questions {
    /// Microseconds since 1970, at the begin of a day.
    static let start = 1_800_057_600_000_000.0
    private static let day = 86_400_000_000.0

    private let rules: [LimitRule] = {
        let subject = LimitSubject.identity(tenant: "acme", .user("ada"))
        return [
            LimitRule(.requests, subject, most: 10_000_000), LimitRule(.tokens, subject, most: 1_000_000_000_000),
            LimitRule(.places, subject, most: 1_000_000),
            LimitRule(.budget(windowMilliseconds: 86_400_000), subject, most: 1 << 52),
        ]
    }()

    func question(_ number: Int) -> LimitQuestion {
        LimitQuestion(tenant: "acme", admission: "r\(number)", rules: rules, run: 1, tokens: 900, nanousd: 5000)
    }

    func end(_ number: Int) -> LimitSettlement {
        LimitSettlement(tenant: "acme", admission: "r\(number)", tokens: 700, nanousd: 4000, ran: true)
    }

    func seeds(_ now: Double) -> [Int: BudgetSeed] {
        [3: BudgetSeed(start: Int64((now / Self.day).rounded(.down) * Self.day), spent: 0)]
    }
}

/// A client of a Redis, on the loop that runs the tasks too, as in the services.
enum RedisBench {
    static func withClient(_ socket: String, _ body: (RedisClient) async throws -> Void) async throws {
        let client = RedisClient(
            RedisAddress(.unix(path: socket)), eventLoop: ProcessRuntime.eventLoop, password: { nil }, observer: RedisObserver(),
            logger: Logger(label: "bench", factory: { _ in SwiftLogNoOpLogHandler() }))
        let keeping = Task(name: "redis") { await client.maintain() }
        defer { keeping.cancel() }
        let end = MonotonicTime.now() + .seconds(10)
        while !client.isReady {
            guard MonotonicTime.now() < end else { throw ValidationError("no Redis answers at \(socket)") }
            try await ProcessRuntime.eventLoop.sleep(.milliseconds(5))
        }
        try await body(client)
    }
}
