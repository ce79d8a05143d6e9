import EdgeService
import Testing

/// A line, and what it has said of each request.
private struct World {
    private var line = FairLine<String>(slots: 2, depth: 2)
    private var running: [RequestClass] = []
    private var waiting: [UInt64: RequestClass] = [:]
    private var aside: [UInt64: RequestClass] = [:]
    private var last: UInt64 = 0

    /// All that may happen next.
    var next: [World] {
        get throws {
            var next: [World] = []
            for (flow, kind) in [("a", RequestClass.chat), ("a", .bulk), ("b", .chat), ("b", .bulk)] {
                next.append(try changed { try $0.arrive(flow, kind) })
            }
            if let first = running.first {
                next.append(try changed { try $0.end(first) })
                next.append(try changed { try $0.stepAside(first) })
            }
            for (ticket, kind) in aside { next.append(changed { $0.comeBack(ticket, kind) }) }
            return next
        }
    }

    private func changed(_ change: (inout World) throws -> Void) rethrows -> World {
        var world = self
        try change(&world)
        return world
    }

    private mutating func arrive(_ flow: String, _ kind: RequestClass) throws {
        last += 1
        switch line.arrive(last, flow, kind) {
        case .runs: running.append(kind)
        case .refused: break
        case .waits(let displaced):
            try displace(displaced, by: kind)
            waiting[last] = kind
        }
    }

    private mutating func stepAside(_ kind: RequestClass) throws {
        last += 1
        switch line.stepAside(last, "a", kind) {
        case .runs: Issue.record("what steps aside does not run")
        case .refused: break
        case .waits(let displaced):
            try displace(displaced, by: kind)
            aside[last] = kind
            try end(kind)
        }
    }

    private mutating func comeBack(_ ticket: UInt64, _ kind: RequestClass) {
        aside[ticket] = nil
        if line.comeBack(ticket) { running.append(kind) } else { waiting[ticket] = kind }
    }

    private mutating func end(_ kind: RequestClass) throws {
        running.removeFirst()
        guard let ticket = line.leave(kind) else { return }
        let next = waiting.removeValue(forKey: ticket)
        running.append(try #require(next))
    }

    private mutating func displace(_ ticket: UInt64?, by kind: RequestClass) throws {
        guard let ticket else { return }
        let victim = waiting.removeValue(forKey: ticket) ?? aside.removeValue(forKey: ticket)
        #expect(try #require(victim) <= kind)
    }

    func check() throws {
        let inLine = waiting.count + aside.count
        try #require(line.running == running.count && line.waiting == inLine && line.aside == aside.count)
        try #require(running.count <= 2 && inLine <= 2)
        try #require(running.count { $0 == .bulk } <= 1)
        for kind in Set(waiting.values) {
            var line = line
            try #require(line.enter(kind) == false, "a request waits that could run")
        }
    }
}

/// Every sequence of so many steps: an arrival of one of two flows in one of two classes, an end, a request that steps aside, one
/// that comes back.
@Test("Whatever happens at the line, nobody is lost, no bound is passed, and nobody waits who could run")
func everySequence() throws {
    var worlds = [World()]
    for _ in 0 ..< 6 {
        worlds = try worlds.flatMap { try $0.next }
        for world in worlds { try world.check() }
    }
    #expect(worlds.count > 10_000)
}
