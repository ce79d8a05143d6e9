import BulkheadCore
import BulkheadStore
import Foundation
import Synchronization
import Testing

/// Not a check but a measurement, by hand: `BULKHEAD_MEASURE=1 swift test --filter CommitRateTests`.
@Suite("Commit rate", .enabled(if: ProcessInfo.processInfo.environment["BULKHEAD_MEASURE"] != nil), .serialized)
struct CommitRateTests {
    @Test("transactions of one row, by how many wait at once", arguments: [1, 14, 64, 256])
    func rate(callers: Int) async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()), connections: 14)
        let times = Mutex<[Duration]>([])
        let before = Self.processorTime(server.pids)
        let took = try await place.withStore(schema: Counters.schema) { store in
            try await Self.run(store, callers, .seconds(1)) { _ in }
            return try await Self.run(store, callers, .seconds(4)) { time in times.withLock { $0.append(time) } }
        }
        try await Task.sleep(for: .milliseconds(300))
        // Both runs are in it: the second is four fifths.
        let spent = (Self.processorTime(server.pids) - before) * 4 / 5
        let sorted = times.withLock { $0.sorted() }
        let line =
            "callers \(callers): \(Int(Double(sorted.count) / (took.milliseconds / 1000))) commits/s, "
            + "p50 \(sorted[sorted.count / 2].milliseconds) ms, p99 \(sorted[sorted.count * 99 / 100].milliseconds) ms, "
            + "about \(Int(spent * 1e6 / Double(sorted.count))) µs of processor time on the server each\n"
        FileHandle.standardError.write(Data(line.utf8))
    }

    /// Seconds these processes have run.
    private static func processorTime(_ pids: [pid_t]) -> Double {
        pids.reduce(0) { sum, pid in
            let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
            let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
            // With the time of children that have ended, as those of a store's connections have.
            let ticks = fields.dropFirst(11).prefix(4).compactMap { Double($0) }.reduce(0, +)
            return sum + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    @discardableResult
    private static func run(
        _ store: any DurableStore, _ callers: Int, _ time: Duration, _ note: @escaping @Sendable (Duration) -> Void
    ) async throws -> Duration {
        let began = MonotonicTime.now()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0 ..< callers {
                group.addTask {
                    var number = 0
                    while MonotonicTime.now() - began < time {
                        let sent = MonotonicTime.now()
                        try await Counters.add("c\(caller)-\(number)", to: store)
                        note(.now() - sent)
                        number += 1
                    }
                }
            }
            try await group.waitForAll()
        }
        return .now() - began
    }
}
