import BulkheadCore
import EdgeService
import Testing

@Suite("The fair line")
struct FairLineTests {
    private typealias Line = FairLine<String>

    private func line(slots: Int = 1, depth: Int) -> Line {
        var line = Line(slots: slots, depth: depth)
        for _ in 0 ..< slots { _ = line.enter(.chat) }
        return line
    }

    /// The order in which waiting requests run when one after the other leaves.
    private func order(_ line: inout Line, _ kind: RequestClass = .chat) -> [UInt64] {
        var order: [UInt64] = []
        while let next = line.leave(kind) { order.append(next) }
        return order
    }

    @Test("So many run, so many wait, the next is refused")
    func bounds() {
        var line = line(slots: 2, depth: 2)
        #expect(line.arrive(1, "a", .chat) == .waits(displaced: nil) && line.arrive(2, "a", .chat) == .waits(displaced: nil))
        #expect(line.arrive(3, "a", .chat) == .refused)
        #expect(line.running == 2 && line.waiting == 2)
        #expect(line.leave(.chat) == 1 && line.leave(.chat) == 2 && line.leave(.chat) == nil)
        #expect(line.running == 1 && line.waiting == 0)
    }

    @Test("Without a line nobody waits")
    func noLine() {
        var line = line(depth: 0)
        #expect(line.arrive(1, "a", .chat) == .refused)
    }

    @Test("Flows take turns, however many of one wait")
    func turns() {
        var line = line(depth: 20)
        for ticket in 1 ... 4 { _ = line.arrive(UInt64(ticket), "a", .chat) }
        for ticket in 5 ... 6 { _ = line.arrive(UInt64(ticket), "b", .chat) }
        _ = line.arrive(7, "c", .chat)
        #expect(order(&line) == [1, 5, 7, 2, 6, 3, 4])
    }

    @Test("Of one flow the higher class runs first, of a class the oldest")
    func classes() {
        var line = line(slots: 10, depth: 20)
        _ = line.arrive(1, "a", .bulk)
        _ = line.arrive(2, "a", .chat)
        _ = line.arrive(3, "a", .calls)
        _ = line.arrive(4, "a", .chat)
        #expect(order(&line) == [2, 4, 3, 1])
    }

    @Test("A flow holds no more than its share of the line while others wait, all of it while none does")
    func share() {
        var line = line(depth: 6)
        #expect(line.arrive(1, "b", .chat) == .waits(displaced: nil))
        for ticket in 2 ... 4 { #expect(line.arrive(UInt64(ticket), "a", .chat) == .waits(displaced: nil)) }
        #expect(line.arrive(5, "a", .chat) == .refused)
        #expect(line.arrive(6, "b", .chat) == .waits(displaced: nil))
        var alone = self.line(depth: 6)
        for ticket in 1 ... 6 { #expect(alone.arrive(UInt64(ticket), "a", .chat) == .waits(displaced: nil)) }
    }

    @Test("Who has nothing in a full line takes the place of the newest of who has most")
    func greediest() {
        var line = line(depth: 4)
        for ticket in 1 ... 4 { _ = line.arrive(UInt64(ticket), "a", .chat) }
        #expect(line.arrive(5, "b", .chat) == .waits(displaced: 4))
        #expect(line.arrive(6, "b", .chat) == .waits(displaced: 3))
        #expect(line.arrive(7, "b", .chat) == .refused)
        #expect(line.arrive(8, "c", .chat) != .refused)
        #expect(line.waiting == 4)
    }

    @Test("In a full line the newest of the lowest class gives way to a higher one, never to its own or a lower one")
    func shedding() {
        var line = line(slots: 10, depth: 4)
        _ = line.arrive(1, "a", .background)
        _ = line.arrive(2, "b", .background)
        _ = line.arrive(3, "c", .bulk)
        _ = line.arrive(4, "d", .chat)
        #expect(line.arrive(5, "e", .background) == .refused)
        #expect(line.arrive(6, "e", .bulk) == .waits(displaced: 2))
        #expect(line.arrive(7, "f", .chat) == .waits(displaced: 1))
        #expect(line.arrive(8, "g", .chat) == .waits(displaced: 6))
        #expect(line.arrive(9, "h", .chat) == .waits(displaced: 3))
        #expect(line.arrive(10, "i", .chat) == .refused)
    }

    @Test("A flow at its share gives up its own lower class for a higher one")
    func ownLower() {
        var line = line(depth: 4)
        _ = line.arrive(1, "b", .chat)
        _ = line.arrive(2, "a", .bulk)
        _ = line.arrive(3, "a", .bulk)
        #expect(line.arrive(4, "a", .bulk) == .refused)
        #expect(line.arrive(5, "a", .chat) == .waits(displaced: 3))
    }

    @Test("Bulk has four fifths of the places at most, background half of them, also together; one each at least")
    func parts() {
        var line = Line(slots: 10, depth: 50)
        for _ in 0 ..< 5 { #expect(line.enter(.background) == true) }
        #expect(line.enter(.background) == false)
        for _ in 0 ..< 3 { #expect(line.enter(.bulk) == true) }
        #expect(!line.enter(.bulk) && line.running == 8)
        #expect(line.arrive(1, "a", .bulk) == .waits(displaced: nil), "free places are not for it")
        #expect(line.enter(.chat) && line.enter(.calls) && !line.enter(.chat))
        #expect(line.leave(.chat) == nil, "what chat leaves is not for bulk while bulk has its part")
        #expect(line.leave(.background) == 1)
        var single = Line(slots: 1, depth: 1)
        #expect(single.enter(.background) == true)
    }

    @Test("Who is taken out does not run")
    func takenOut() {
        var line = line(depth: 4)
        _ = line.arrive(1, "a", .chat)
        _ = line.arrive(2, "b", .chat)
        #expect(line.take(1) && !line.take(1))
        #expect(line.leave(.chat) == 2 && line.leave(.chat) == nil && line.running == 0)
    }

    @Test("Who stepped aside has no turn until it comes back, and then the one of its age")
    func aside() {
        var line = line(slots: 2, depth: 4)
        #expect(line.stepAside(1, "a", .chat) == .waits(displaced: nil) && line.leave(.chat) == nil)
        #expect(line.enter(.chat) && line.arrive(2, "a", .chat) == .waits(displaced: nil))
        #expect(line.waiting == 2 && line.aside == 1 && line.isAside(1) && !line.isAside(2))
        #expect(!line.comeBack(1) && !line.comeBack(2) && line.aside == 0)
        #expect(order(&line) == [1, 2])
        #expect(line.stepAside(3, "a", .chat) == .waits(displaced: nil) && line.leave(.chat) == nil)
        #expect(line.comeBack(3) == true, "there was room")
        #expect(line.waiting == 0 && line.running == 1)
        #expect(line.comeBack(3) == false)
    }

    @Test("Who stepped aside counts in the line: its flow's share, and the newest of the lowest class gives way")
    func asideCounts() {
        var line = line(slots: 5, depth: 2)
        #expect(line.stepAside(1, "a", .bulk) == .waits(displaced: nil) && line.leave(.chat) == nil)
        #expect(line.stepAside(2, "a", .bulk) == .waits(displaced: nil) && line.leave(.chat) == nil)
        #expect(line.stepAside(3, "a", .bulk) == .refused)
        #expect(line.stepAside(4, "b", .bulk) == .waits(displaced: 2) && line.leave(.chat) == nil)
        #expect(line.stepAside(5, "b", .chat) == .waits(displaced: 4) && line.leave(.chat) == nil)
        #expect(line.take(5) && !line.take(5) && line.aside == 1 && line.running == 1)
    }
}

@Suite("The rate at which places come free")
struct ServiceRateTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)

    @Test("The wait told is the time so many places took to come free, from one second to a minute")
    func honest() {
        var rate = ServiceRate()
        #expect(rate.wait(for: 5, now: start) == .seconds(1))
        rate.waits(now: start)
        for step in 1 ... 4 { rate.freed(isWanted: true, now: start + .milliseconds(500 * step)) }
        #expect(rate.wait(for: 10, now: start + .seconds(2)) == .seconds(5))
        #expect(rate.wait(for: 1, now: start + .seconds(2)) == .seconds(1))
        #expect(rate.wait(for: 1000, now: start + .seconds(2)) == .seconds(60))
    }

    @Test("A place that has not come free for long says that none will soon")
    func stuck() {
        var rate = ServiceRate()
        rate.waits(now: start)
        #expect(rate.wait(for: 2, now: start + .seconds(20)) == .seconds(40))
    }

    @Test("Places nobody waited for say nothing of how long one waits")
    func idle() {
        var rate = ServiceRate()
        rate.freed(isWanted: false, now: start)
        rate.freed(isWanted: false, now: start + .seconds(30))
        #expect(rate.wait(for: 1, now: start + .seconds(30)) == .seconds(1))
    }
}
