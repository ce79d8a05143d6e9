import BulkheadCore
import SessionService
import Testing

@Suite("Limits")
struct LimitStoreTests {
    @Test("a limit admits what it says and refuses the next")
    func admits() {
        let limits = RequestLimits()
        let now = MonotonicTime(nanoseconds: 1_000_000_000)
        let answers = (0 ..< 4).map { _ in limits.admit([(.tenant("t"), 3)], count: true, now: now).isAdmitted }
        #expect(answers == [true, true, true, false])
    }
}
