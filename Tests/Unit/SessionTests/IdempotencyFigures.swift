import BulkheadAPI
import BulkheadCore
import Foundation
import Glibc
import NIOCore
import SessionService
import Testing

/// Prints what admissions with an Idempotency-Key cost; `BULKHEAD_FIGURES=1` runs it.
@Suite("Figures of idempotency", .enabled(if: ProcessInfo.processInfo.environment["BULKHEAD_FIGURES"] == "1"))
struct IdempotencyFigures {
    @Test("Claim, dispatch and complete on SQLite, every word durable", arguments: [64, 256])
    func keyed(callers: Int) async throws {
        let bench = try await ClaimBench()
        let sync = try Self.syncLatency(beside: bench.folder.path)
        let each = 200
        let began = MonotonicTime.now()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0 ..< callers {
                group.addTask {
                    for index in 0 ..< each {
                        let run = try await bench.admitted("\(caller)-\(index)", as: "i\(caller)x\(index)")
                        _ = try await bench.dispatch(run)
                        try await bench.settle(run, #"{"choices":[{"message":{"content":"an answer of a usual length"}}]}"#)
                    }
                }
            }
            try await group.waitForAll()
        }
        let seconds = Double((MonotonicTime.now() - began).nanosecondsClamped) / 1e9
        let rate = Int(Double(callers * each) / seconds)
        print("keyed admit+dispatch+complete: \(rate)/s, \(callers) callers; fdatasync of 4 KiB: \(sync) µs")
    }

    @Test("Streams kept at once: batches appended by 64 callers")
    func streamed() async throws {
        let bench = try await ClaimBench()
        let (callers, batches) = (64, 200)
        let began = MonotonicTime.now()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0 ..< callers {
                group.addTask {
                    let run = try await bench.stream("s\(caller)", as: "is\(caller)")
                    for batch in 0 ..< batches { try await bench.append(run, batch * 5 + 1 ... batch * 5 + 5, bytes: 200) }
                    try await bench.end(run, lastSeq: batches * 5)
                }
            }
            try await group.waitForAll()
        }
        let seconds = Double((MonotonicTime.now() - began).nanosecondsClamped) / 1e9
        print(
            "stream batches kept: \(Int(Double(callers * batches) / seconds))/s, \(callers) streams of \(batches) batches of 1 kB"
        )
    }

    /// The median of 200 in microseconds.
    private static func syncLatency(beside folder: String) throws -> Int {
        let file = open(folder + "/sync", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(file) }
        let page = [UInt8](repeating: 1, count: 4_096)
        let times = (0 ..< 200).map { index -> Int64 in
            let began = MonotonicTime.now()
            _ = pwrite(file, page, page.count, off_t(index * 4_096))
            fdatasync(file)
            return (MonotonicTime.now() - began).nanosecondsClamped
        }
        return Int(times.sorted()[100] / 1_000)
    }
}
