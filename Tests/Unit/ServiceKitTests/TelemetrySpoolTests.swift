import BulkheadServiceKit
import Testing

@Suite("What waits for telemetry") struct TelemetrySpoolTests {
    /// The numbers from 1 to `last`, appended in turn.
    private func spool(_ last: Int, capacity: Int) -> TelemetrySpool<Int> {
        var spool = TelemetrySpool<Int>(capacity: capacity)
        for value in 1 ... last { _ = spool.append(value) }
        return spool
    }

    @Test("what was not acknowledged stays, with the numbers it had from the start")
    func order() {
        var spool = spool(5, capacity: 10)
        #expect(spool.prefix(2) == [1, 2] && spool.first == 1)
        let done = [3, 2, 100].map { spool.acknowledge($0) }
        #expect(done == [3, 0, 2], "an old answer changes nothing, and no more can be acknowledged than there is")
        #expect(spool.count == 0 && spool.first == 6)
    }

    @Test("when it is full the oldest are dropped and counted, and numbers go on")
    func bound() {
        let spool = spool(5, capacity: 3)
        #expect(spool.prefix(9) == [3, 4, 5] && spool.first == 3 && spool.dropped == 2)
    }
}
