// States of a request: running; or waiting, in the lane of its flow and class → running, or out of the line: displaced by
// another, or taken out because its time is over or its client left. A running one may step aside, to wait for something else
// than a place: aside → running, or waiting, or out. Held in every state: no waiting request could run.

/// Places for so many requests, and a bounded line before them in which flows take turns. Says who runs, who waits and who is
/// out; knows neither time nor tasks.
///
/// Whose turn it is: flows one after the other, of each flow its highest class, of that the oldest. Who must leave a full line for
/// another: the newest of the lowest class below the other's; else, for a flow that has less than its share of the line, the
/// newest of the flow that has most.
package struct FairLine<Flow: Hashable & Sendable>: Sendable {
    /// Names a waiting request; later ones are higher.
    package typealias Ticket = UInt64

    /// What becomes of a request.
    package enum Arrival: Equatable, Sendable {
        case runs
        /// Behind the others of its flow; `displaced` is out.
        case waits(displaced: Ticket?)
        /// The line is full, or the flow has its share of it.
        case refused
    }

    private struct Lanes: Sendable {
        /// Tickets by class, the oldest first.
        var tickets = [[Ticket]](repeating: [], count: RequestClass.allCases.count)
        /// Of those that stepped aside; they count, and have no turn.
        var aside = [[Ticket]](repeating: [], count: RequestClass.allCases.count)
        var count = 0

        var lowest: RequestClass? {
            RequestClass.allCases.first { !tickets[$0.rawValue].isEmpty || !aside[$0.rawValue].isEmpty }
        }
        func newest(_ kind: RequestClass) -> Ticket? {
            [tickets[kind.rawValue].last, aside[kind.rawValue].last].compactMap(\.self).max()
        }
    }

    private struct Place {
        let flow: Flow
        let kind: RequestClass
    }

    private let slots: Int
    private let depth: Int
    private var runningByClass = [Int](repeating: 0, count: RequestClass.allCases.count)
    private var flows: [Flow: Lanes] = [:]
    /// Flows with waiting requests; the first is next.
    private var turns: [Flow] = []
    private var places: [Ticket: Place] = [:]

    /// - Parameters:
    ///   - slots: requests that run at once, at least 1.
    ///   - depth: requests that wait at once.
    package init(slots: Int, depth: Int) {
        precondition(slots > 0 && depth >= 0, "bug: \(slots) places and a line of \(depth)")
        self.slots = slots
        self.depth = depth
    }

    /// Requests that run.
    package var running: Int { runningByClass.reduce(0, +) }
    /// Requests that wait, those aside included.
    package var waiting: Int { places.count }
    /// Requests that stepped aside.
    package private(set) var aside = 0

    /// Takes a place if one is free; nobody who waits could have taken it.
    package mutating func enter(_ kind: RequestClass) -> Bool {
        guard hasRoom(kind) else { return false }
        runningByClass[kind.rawValue] += 1
        return true
    }

    /// Takes a place, or one in the line.
    /// - Parameter ticket: higher than all before it.
    package mutating func arrive(_ ticket: Ticket, _ flow: Flow, _ kind: RequestClass) -> Arrival {
        enter(kind) ? .runs : lineUp(ticket, flow, kind)
    }

    /// A running request is to wait for something else than a place: it keeps one in the line. When it has one its place is to be
    /// given up with `leave`.
    /// - Parameter ticket: new, or the one it had when it last waited.
    /// - Returns: never that it runs.
    package mutating func stepAside(_ ticket: Ticket, _ flow: Flow, _ kind: RequestClass) -> Arrival {
        let arrival = lineUp(ticket, flow, kind)
        guard case .waits = arrival else { return arrival }
        flows[flow]?.tickets[kind.rawValue].removeAll { $0 == ticket }
        insert(ticket, into: \.aside, flow, kind)
        aside += 1
        return arrival
    }

    /// One that stepped aside takes a place if one is free, else waits for one in the lane of its flow, by its age.
    /// - Returns: whether it runs. False also when it is not aside.
    package mutating func comeBack(_ ticket: Ticket) -> Bool {
        guard isAside(ticket), let place = places[ticket] else { return false }
        let (flow, kind) = (place.flow, place.kind)
        guard !enter(kind) else { return take(ticket) }
        flows[flow]?.aside[kind.rawValue].removeAll { $0 == ticket }
        aside -= 1
        insert(ticket, into: \.tickets, flow, kind)
        return false
    }

    /// Whether it stepped aside.
    package func isAside(_ ticket: Ticket) -> Bool {
        places[ticket].map { flows[$0.flow]?.aside[$0.kind.rawValue].contains(ticket) ?? false } ?? false
    }

    private mutating func lineUp(_ ticket: Ticket, _ flow: Flow, _ kind: RequestClass) -> Arrival {
        let own = flows[flow]
        let active = flows.count + (own == nil ? 1 : 0)
        let share = max(1, depth / active)
        if let own, active > 1, own.count >= share {
            guard let lowest = own.lowest, lowest < kind, let victim = own.newest(lowest) else { return .refused }
            return join(ticket, flow, kind, displacing: victim)
        }
        guard places.count >= depth else { return join(ticket, flow, kind, displacing: nil) }
        guard depth > 0, let victim = lowestVictim(below: kind) ?? greediestVictim(share, kind, for: flow) else {
            return .refused
        }
        return join(ticket, flow, kind, displacing: victim)
    }

    /// A running request is over. - Returns: the waiting one that runs in its stead. Never two: what one request leaves is room
    /// for one, as nobody waits who could have run before.
    package mutating func leave(_ kind: RequestClass) -> Ticket? {
        precondition(runningByClass[kind.rawValue] > 0, "bug: more requests left than ran")
        runningByClass[kind.rawValue] -= 1
        for (index, flow) in turns.enumerated() {
            guard let lanes = flows[flow], let kind = firstThatMayRun(lanes) else { continue }
            let ticket = lanes.tickets[kind.rawValue][0]
            runningByClass[kind.rawValue] += 1
            take(ticket)
            if flows[flow] != nil { turns.append(turns.remove(at: index)) }
            return ticket
        }
        return nil
    }

    /// Takes a waiting request out of the line. - Returns: false when it does not wait.
    @discardableResult
    package mutating func take(_ ticket: Ticket) -> Bool {
        let wasAside = isAside(ticket)
        guard let place = places.removeValue(forKey: ticket) else { return false }
        if wasAside {
            flows[place.flow]?.aside[place.kind.rawValue].removeAll { $0 == ticket }
            aside -= 1
        }
        flows[place.flow]?.tickets[place.kind.rawValue].removeAll { $0 == ticket }
        flows[place.flow]?.count -= 1
        guard flows[place.flow]?.count == 0 else { return true }
        flows[place.flow] = nil
        turns.removeAll { $0 == place.flow }
        return true
    }
}

extension FairLine {
    private func hasRoom(_ kind: RequestClass) -> Bool {
        var held = 0
        for other in RequestClass.allCases {
            held += runningByClass[other.rawValue]
            if other >= kind, held >= other.places(of: slots) { return false }
        }
        return true
    }

    private func firstThatMayRun(_ lanes: Lanes) -> RequestClass? {
        RequestClass.allCases.last { !lanes.tickets[$0.rawValue].isEmpty && hasRoom($0) }
    }

    private mutating func join(_ ticket: Ticket, _ flow: Flow, _ kind: RequestClass, displacing victim: Ticket?) -> Arrival {
        if let victim { take(victim) }
        if flows[flow] == nil { turns.append(flow) }
        flows[flow, default: Lanes()].tickets[kind.rawValue].append(ticket)
        flows[flow, default: Lanes()].count += 1
        places[ticket] = Place(flow: flow, kind: kind)
        return .waits(displaced: victim)
    }

    private mutating func insert(
        _ ticket: Ticket, into lanes: WritableKeyPath<Lanes, [[Ticket]]>, _ flow: Flow, _ kind: RequestClass
    ) {
        guard let lane = flows[flow]?[keyPath: lanes][kind.rawValue] else { return }
        let index = lane.firstIndex { $0 > ticket } ?? lane.endIndex
        flows[flow]?[keyPath: lanes][kind.rawValue].insert(ticket, at: index)
    }

    private func lowestVictim(below kind: RequestClass) -> Ticket? {
        for lower in RequestClass.allCases where lower < kind {
            if let newest = flows.values.compactMap({ $0.newest(lower) }).max() { return newest }
        }
        return nil
    }

    private func greediestVictim(_ share: Int, _ kind: RequestClass, for flow: Flow) -> Ticket? {
        var found: (count: Int, ticket: Ticket)?
        for (other, lanes) in flows where other != flow && lanes.count > share {
            guard let lowest = lanes.lowest, lowest <= kind, let ticket = lanes.newest(lowest) else { continue }
            if found.map({ ($0.count, $0.ticket) < (lanes.count, ticket) }) ?? true { found = (lanes.count, ticket) }
        }
        return found?.ticket
    }
}
