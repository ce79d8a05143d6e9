import BulkheadCore
import Synchronization

/// What the callers of a storm have seen.
final class StormScore: Sendable {
    /// Longer storms keep the times of the first calls only.
    private static let kept = 2_000_000

    let issued = Atomic<Int>(0)
    let cancelled = Atomic<Int>(0)
    /// Nobody is to call again.
    let isOver = Atomic<Bool>(false)
    private let answers = Atomic<Int>(0)
    private let took = Mutex<[UInt64]>([])
    private let failures = Mutex<[String]>([])

    /// - Parameter time: nil for a call whose time says nothing.
    func answered(_ time: Duration?) {
        answers.add(1, ordering: .relaxed)
        guard let time else { return }
        took.withLock { if $0.count < Self.kept { $0.append(UInt64(time.milliseconds * 1_000_000)) } }
    }

    func failed(_ start: MonotonicTime, _ error: any Error) {
        let told = error as? CallError ?? CallError(.unknown, message: "\(type(of: error))")
        let line =
            #"{"start_ns":\#(start.nanoseconds),"end_ns":\#(MonotonicTime.now().nanoseconds),"code":"\#(told.code)","#
            + #""reason":"\#(told.reason)","not_processed":\#(told.notProcessed)}"#
        failures.withLock { $0.append(line) }
    }

    var json: String {
        let sorted = took.withLock { $0.sorted() }
        let list = failures.withLock { $0.joined(separator: ",") }
        func microseconds(_ share: Double) -> UInt64 {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] / 1000
        }
        return #"{"issued":\#(issued.load(ordering: .relaxed)),"answered":\#(answers.load(ordering: .relaxed)),"#
            + #""cancelled":\#(cancelled.load(ordering: .relaxed)),"slowest_us":\#((sorted.last ?? 0) / 1000),"#
            + #""p50_us":\#(microseconds(0.5)),"p99_us":\#(microseconds(0.99)),"failures":[\#(list)]}"#
    }
}
