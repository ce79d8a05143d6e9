import BulkheadCore
import DequeModule
import Synchronization

/// One run of a statement. Its values are in nobody's log.
package struct StatementOutcome: Sendable {
    /// As in `Statement.name`.
    package var name: String
    package var took: Duration
    /// That it gave, or changed.
    package var rows: Int

    /// A run of its parts.
    package init(name: String, took: Duration, rows: Int) {
        self.name = name
        self.took = took
        self.rows = rows
    }
}

/// How long statements take, by name, and the last slow ones. Holds `maximumNames` names, later ones count under `other`, and
/// `maximumSlow` slow runs. Recording is one step in one histogram under a short lock.
package final class StatementLog: Sendable {
    /// Names with times of their own: more than the program has.
    static let maximumNames = 256
    /// Slow runs remembered.
    package static let maximumSlow = 100
    /// From here on a run is slow.
    package static let slowAfter = Duration.milliseconds(100)

    private struct State {
        var times: [String: StatementTimes] = [:]
        var waits = StatementTimes()
        var slow: Deque<SlowStatement> = []
        var slowCount = 0
    }

    private let state = Mutex(State())
    private let slowAfter: Duration
    private let clock: @Sendable () -> Int64

    /// - Parameters:
    ///   - slowAfter: from here on a run is slow.
    ///   - clock: milliseconds since 1970; nil: the host's.
    package init(slowAfter: Duration = slowAfter, clock: (@Sendable () -> Int64)? = nil) {
        self.slowAfter = slowAfter
        self.clock = clock ?? { [clock = StoreClock()] in clock.now }
    }

    /// Takes a run in.
    package func record(_ outcome: StatementOutcome) {
        let slow = outcome.took >= slowAfter ? SlowStatement(outcome, endedAt: clock()) : nil
        state.withLock { state in
            let isKnown = state.times.count < Self.maximumNames || state.times[outcome.name] != nil
            state.times[isKnown ? outcome.name : "other", default: StatementTimes()].record(outcome.took, rows: outcome.rows)
            guard let slow else { return }
            state.slowCount += 1
            if state.slow.count == Self.maximumSlow { state.slow.removeFirst() }
            state.slow.append(slow)
        }
    }

    /// Takes in how long the first operation of a commit had waited for the store.
    package func waited(_ duration: Duration) { state.withLock { $0.waits.record(duration, rows: 0) } }

    /// Times by name, for metrics.
    package var times: [String: StatementTimes] { state.withLock { $0.times } }

    /// What `store slow` shows.
    package var report: StatementReport {
        let state = state.withLock { $0 }
        let lines = state.times.map { StatementLine($0.key, $0.value) }
        return StatementReport(
            slowAfterMilliseconds: slowAfter.milliseconds, wait: StatementLine("wait", state.waits),
            statements: lines.sorted { ($0.totalMilliseconds, $1.name) > ($1.totalMilliseconds, $0.name) },
            slowRuns: state.slowCount, slow: state.slow.reversed())
    }
}

/// What `store slow` shows.
package struct StatementReport: Codable, Sendable {
    /// From here on a run is slow.
    package var slowAfterMilliseconds: Double
    /// How long the first operation of each commit had waited.
    package var wait: StatementLine
    /// Since the process began, those that took most together first.
    package var statements: [StatementLine]
    /// Slow runs since the process began.
    package var slowRuns: Int
    /// The last of them, newest first.
    package var slow: [SlowStatement]
}

/// The times of one statement.
package struct StatementLine: Codable, Sendable {
    /// As in `Statement`.
    package var name: String
    /// How often it ran, the rows it gave or changed, and how long that took.
    package var count: Int
    package var rows: Int
    package var p50Milliseconds: Double
    package var p99Milliseconds: Double
    package var maxMilliseconds: Double
    package var totalMilliseconds: Double

    init(_ name: String, _ times: StatementTimes) {
        self.name = name
        count = times.count
        rows = times.rows
        p50Milliseconds = (times.quantile(0.5) ?? .zero).milliseconds
        p99Milliseconds = (times.quantile(0.99) ?? .zero).milliseconds
        maxMilliseconds = times.longest.milliseconds
        totalMilliseconds = times.total.milliseconds
    }
}

/// A run that was slow.
package struct SlowStatement: Codable, Sendable, Equatable {
    /// As in `Statement`.
    package var name: String
    /// How long it ran.
    package var milliseconds: Double
    /// That it gave, or changed.
    package var rows: Int
    /// Milliseconds since 1970.
    package var endedAt: Int64

    init(_ outcome: StatementOutcome, endedAt: Int64) {
        name = outcome.name
        milliseconds = outcome.took.milliseconds
        rows = outcome.rows
        self.endedAt = endedAt
    }
}
