import BulkheadAPI
import BulkheadCore
import BulkheadStore
import Foundation
import Glibc
import SessionService
import Testing

/// Prints figures; run with BULKHEAD_STORE_BENCH=1, alone on the machine.
@Suite("How fast a durable store is", .enabled(if: ProcessInfo.processInfo.environment["BULKHEAD_STORE_BENCH"] != nil))
struct StoreBench {
    @Test("Claim, dispatch, complete", arguments: StoreUnderTest.all, [1, 64, 256])
    func claims(kind: StoreUnderTest, callers: Int) async throws {
        let place = try kind.place()
        let claims = try await Claims(place)
        let rounds = max(200, 30_000 / 3 / callers)
        let began = MonotonicTime.now()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0 ..< callers {
                group.addTask {
                    for round in 0 ..< rounds {
                        let name = "\(caller)-\(round)"
                        _ = try await claims.claim(name, key: name)
                        _ = try await claims.dispatch(name, fence: 1)
                        _ = try await claims.complete(name, fence: 1, "{\"answer\":\"\(name)\"}")
                    }
                }
            }
            try await group.waitForAll()
        }
        let seconds = (MonotonicTime.now() - began).milliseconds / 1000
        let operations = callers * rounds * 3
        print(
            "\(kind), \(callers) callers: \(operations) operations in \(seconds) s, \(Int(Double(operations) / seconds))/s; "
                + "fdatasync p50 \(try Self.syncMicroseconds()) µs")
    }

    /// The median of 200 writes of a page with fdatasync, where stores are kept.
    private static func syncMicroseconds() throws -> Int {
        let path = NSTemporaryDirectory() + "bh-sync-\(UInt64.random(in: .min ... .max))"
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        try #require(file >= 0)
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 1, count: 4096)
        let times = (0 ..< 200).map { _ in
            let began = MonotonicTime.now()
            #expect(write(file, page, page.count) == page.count && fdatasync(file) == 0)
            return (MonotonicTime.now() - began).nanosecondsClamped
        }
        return Int(times.sorted()[100] / 1000)
    }
}
