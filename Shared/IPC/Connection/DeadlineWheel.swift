import BulkheadCore

/// The deadlines of a connection's calls, in one structure with one timer.
///
/// Nothing is removed when a call ends: most calls end long before their deadline. What is due beyond one turn of the wheel
/// (1.28 s) waits in `far`, which is looked through once per turn; only what is due within a turn has a slot. So a call that
/// ends within a turn costs one append, and forgotten entries live for a turn at most.
struct DeadlineWheel {
    private struct Entry {
        let stream: UInt32
        let deadline: MonotonicTime
    }

    private static let slotNanoseconds: UInt64 = 5_000_000
    private static let slotCount = 256
    private static let turn = Duration.nanoseconds(Int64(slotNanoseconds) * Int64(slotCount))

    private var slots = [[Entry]](repeating: [], count: slotCount)
    private var far: [Entry] = []
    private var nearCount = 0
    /// Number of the first slot (since the clock's start) that was not looked at yet.
    private var cursor: UInt64
    private var nextFarScan: MonotonicTime

    init(now: MonotonicTime) {
        cursor = now.nanoseconds / Self.slotNanoseconds
        nextFarScan = now + Self.turn
    }

    /// - Returns: when `expired` must be asked next, if nothing else is added; nil when nothing waits.
    var nextCheck: MonotonicTime? {
        guard nearCount > 0 else { return far.isEmpty ? nil : nextFarScan }
        var number = cursor
        while slots[Int(number % UInt64(Self.slotCount))].isEmpty, number < cursor + UInt64(Self.slotCount) { number += 1 }
        // A slot is due when its end has passed, so that nothing in it is early.
        let near = MonotonicTime(nanoseconds: (number + 1) * Self.slotNanoseconds)
        return far.isEmpty ? near : min(near, nextFarScan)
    }

    mutating func add(_ stream: UInt32, _ deadline: MonotonicTime, now: MonotonicTime) {
        guard deadline != .never else { return }
        if far.isEmpty, nearCount == 0 { nextFarScan = now + Self.turn }
        // The cursor must not lag, or what is due soon would look far.
        let present = now.nanoseconds / Self.slotNanoseconds
        if nearCount == 0 { cursor = max(cursor, present) }
        while cursor < present, slots[Int(cursor % UInt64(Self.slotCount))].isEmpty { cursor += 1 }
        place(Entry(stream: stream, deadline: deadline))
    }

    private mutating func place(_ entry: Entry) {
        let number = max(cursor, entry.deadline.nanoseconds / Self.slotNanoseconds)
        guard number < cursor + UInt64(Self.slotCount) else {
            far.append(entry)
            return
        }
        slots[Int(number % UInt64(Self.slotCount))].append(entry)
        nearCount += 1
    }

    /// Takes out the streams whose deadline has passed; `isAlive` tells which are still worth keeping.
    mutating func expired(now: MonotonicTime, isAlive: (UInt32) -> Bool) -> [UInt32] {
        var due: [UInt32] = []
        let present = now.nanoseconds / Self.slotNanoseconds
        var visited = 0
        while cursor < present, visited < Self.slotCount {
            let index = Int(cursor % UInt64(Self.slotCount))
            if !slots[index].isEmpty {
                due += slots[index].map(\.stream)
                nearCount -= slots[index].count
                slots[index].removeAll(keepingCapacity: true)
            }
            cursor += 1
            visited += 1
        }
        cursor = max(cursor, present)
        if now >= nextFarScan { scanFar(now, isAlive) }
        return due
    }

    private mutating func scanFar(_ now: MonotonicTime, _ isAlive: (UInt32) -> Bool) {
        nextFarScan = now + Self.turn
        let entries = far
        far.removeAll(keepingCapacity: true)
        for entry in entries where isAlive(entry.stream) { place(entry) }
    }
}
