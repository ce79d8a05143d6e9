/// The breaker's rules for two callers and whole ticks, written from the specification: time is kept as ages and remainders,
/// calls are kept one by one, and there is nothing like a generation, a permit or a bucket.
struct BreakerModel: Hashable {
    enum State: Hashable { case closed, open, halfOpen, forcedOpen, forcedClosed }
    /// A call, running or over, as the closed state counts it; a void one belongs to an earlier state.
    struct Call: Hashable {
        var age = 0, lease = 0, isVoid = false, isFailed = false, isSlow = false

        /// Older than any window is old enough.
        func later(_ ticks: Int) -> Call {
            isVoid ? self : Call(age: min(age + ticks, 10), lease: max(0, lease - ticks), isFailed: isFailed, isSlow: isSlow)
        }
    }

    let rules: ModelRules
    var state = State.closed, cooldown = 0, openings = 0, failuresInARow = 0, good = 0, calm = 0
    var callers: [Call?] = [nil, nil], over: [Call] = []

    mutating func go(_ next: State, isFresh: Bool = false) {
        (state, failuresInARow, good, calm, over, openings) = (next, 0, 0, 0, [], isFresh ? 0 : openings)
        callers = callers.map { $0.map { _ in Call(isVoid: true) } }
        if next == .open { (cooldown, openings) = (min(rules.openFor << openings, rules.openForMax), openings + 1) }
    }

    /// Nil: admitted; otherwise ticks until it is worth another try.
    mutating func admit(_ caller: Int) -> Int? {
        if state == .open, cooldown == 0 { go(.halfOpen) }
        let leases = callers.compactMap(\.self).filter { !$0.isVoid && $0.lease > 0 }.map(\.lease)
        switch state {
        case .forcedOpen: return rules.openForMax
        case .open: return cooldown
        case .halfOpen where leases.count >= [1, 3, 10][min(good, 2)]: return min(rules.openFor, leases.min() ?? 0)
        case .halfOpen: callers[caller] = Call(lease: rules.lease)
        case .closed, .forcedClosed: callers[caller] = Call(isVoid: state == .forcedClosed)
        }
        return nil
    }

    mutating func end(_ caller: Int, isGood: Bool?) {
        guard var call = callers[caller].take(), !call.isVoid else { return }
        if isGood == true { (failuresInARow, good) = (0, good + 1) }
        let isSlow = call.isSlow && call.age < rules.window
        if isGood == false { (failuresInARow, call) = (failuresInARow + 1, Call(isFailed: true, isSlow: isSlow)) }
        if isGood != nil || call.isSlow { over.append(call) }
        if state == .halfOpen, good >= rules.goodProbes { go(.closed) }
        if isGood == false { judge() }
    }

    mutating func slow(_ caller: Int) {
        guard let call = callers[caller], !call.isVoid, !call.isSlow else { return }
        callers[caller] = Call(lease: call.lease, isSlow: true)
        judge()
    }

    mutating func judge() {
        let calls = (over + callers.compactMap(\.self)).filter { !$0.isVoid && $0.age < rules.window }
        let (failed, slow) = (Double(calls.count(where: \.isFailed)), Double(calls.count(where: \.isSlow)))
        let isBad = max(failed / rules.failureRatio, slow / rules.slowRatio) >= Double(calls.count)
        if failuresInARow >= rules.failures || state == .halfOpen || calls.count >= rules.minRequests && isBad { trip() }
    }

    mutating func trip() {
        let isCalm = state == .closed && calm >= rules.calmAfter
        if state == .closed || state == .halfOpen { go(.open, isFresh: isCalm) }
    }

    mutating func wait(_ ticks: Int) {
        (cooldown, calm) = (max(0, cooldown - ticks), min(calm + ticks, rules.calmAfter))
        over = over.map { $0.later(ticks) }.filter { $0.age < rules.window }
        callers = callers.map { $0?.later(ticks) }
    }

    mutating func restart() { go(state == .open ? .halfOpen : state, isFresh: true) }
    mutating func force(_ next: State) { if state != next { go(next, isFresh: true) } }
}

/// The limits of a model, in ticks and calls.
struct ModelRules: Hashable, Sendable {
    var failures = 3, failureRatio = 0.6, slowRatio = 1.0, minRequests = 2, window = 10
    var openFor = 1, openForMax = 4, calmAfter = 12, lease = 2, goodProbes = 1
}
