import BulkheadAPI
import BulkheadCore
import Foundation
import SessionService
import Synchronization
import Testing

@Suite("Deadlines of callers")
struct DeadlineTests {
    @Test("A store that is stuck answers admissions and ends at their deadline, and does nothing for them later")
    func stuck() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let first = try await bench.admit(key, idempotency: "first")
        let store = bench.store
        let open = DispatchSemaphore(value: 0)
        let begun = Mutex(false)
        async let busy: Void = store.transact { _ in
            begun.withLock { $0 = true }
            open.wait()
        }
        while !begun.withLock({ $0 }) { await Task.yield() }
        let ticking = Mutex(true)
        Thread.detachNewThread {
            while ticking.withLock({ $0 }) {
                store.tick(now: .now())
                usleep(2_000)
            }
        }
        let (admission, now) = (bench.admission, bench.now)
        let asked = bench.request(key, idempotency: "second")
        let end = SessionAPI.SettleRequest(
            admissionID: first.admissionID, keyID: first.keyID, status: 200,
            answer: SessionAPI.StoredAnswer(status: 200, contentType: "application/json"), fence: first.fence)
        async let admitted = Self.code { _ = try await admission.admit(asked, now: now, deadline: .now() + .milliseconds(30)) }
        async let settled = Self.code { _ = try await admission.settle(end, now: now, deadline: .now() + .milliseconds(30)) }
        #expect(await admitted == .deadlineExceeded)
        #expect(await settled == .deadlineExceeded)
        ticking.withLock { $0 = false }
        open.signal()
        try await busy
        #expect(try await bench.admit(key, idempotency: "second").verdict == .admitted, "nobody holds the key")
        #expect(try await bench.admit(key, idempotency: "first").verdict == .idempotencyRunning, "its end was not kept")
    }

    private static func code(_ body: () async throws -> Void) async -> StatusCode? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? CallError)?.code
        }
    }
}
