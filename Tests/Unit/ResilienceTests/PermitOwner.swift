import BulkheadCore
import BulkheadResilience

/// What can happen to the calls of an owner; calls are named by position among all ever started, over or not, because ends
/// cross: an answer may come for a call that was cancelled.
enum OwnerEvent: Sendable, Hashable {
    enum End: CaseIterable, Sendable {
        case answered
        case peerFailed
        case cancelled
        /// The call's own code threw before the peer was asked.
        case threw
        case timedOut
        /// Timed out with less time than a healthy peer needs.
        case starved
    }

    case start
    case end(Int, End)
    case slow(Int)
    case wait(Int)
    case restart
    /// All calls are cancelled.
    case stop
}

/// An owner as a link is one: a few places, a permit per call, given back at the first of its ends.
struct PermitOwner {
    struct Call {
        var permit: CircuitBreaker.Permit?
        var isSlow = false
    }

    private(set) var breaker: CircuitBreaker
    private(set) var acquired = 0
    private(set) var released = 0
    private let places = 12
    private let lease: Duration
    private var calls: [Call] = []
    private var now = MonotonicTime(nanoseconds: 50_000_000_000)
    /// Calls counted in the present closed state; the window is so long that none leaves it.
    private var counted = 0
    private var generation: UInt64 = 0

    init(_ configuration: CircuitBreaker.Configuration) {
        breaker = CircuitBreaker(configuration)
        lease = configuration.probeLease
    }

    /// What is wrong with the books, if anything.
    var violation: String? {
        let holders = calls.filter { $0.permit != nil }
        if acquired - released != holders.count { return "\(acquired) acquired, \(released) released, \(holders.count) held" }
        switch breaker.phase {
        case .open: return nil
        case .closed: return breaker.window.sum.issued == counted ? nil : "window \(breaker.window.sum), counted \(counted)"
        case .halfOpen(let halfOpen):
            let leased = Set(halfOpen.leases.filter { $0.expires > now }.map(\.probe))
            let probes = Set(holders.compactMap { $0.permit?.generation == breaker.generation ? $0.permit?.probe : nil })
            return leased.isSubset(of: probes) ? nil : "places taken by probes that are over: \(leased.subtracting(probes))"
        }
    }

    mutating func apply(_ event: OwnerEvent) {
        switch event {
        case .start: start()
        case .end(let index, let end): if !calls.isEmpty { finish(index % calls.count, end) }
        case .slow(let index): if !calls.isEmpty { mark(index % calls.count) }
        case .wait(let milliseconds): now = now + .milliseconds(milliseconds)
        case .restart: breaker.peerRestarted(now: now)
        case .stop: for index in calls.indices { finish(index, .cancelled) }
        }
        if breaker.generation != generation { (generation, counted) = (breaker.generation, 0) }
    }

    private mutating func start() {
        guard acquired - released < places, case .permit(let permit) = breaker.admit(now: now) else { return }
        acquired += 1
        calls.append(Call(permit: permit))
        if permit.generation == generation, breaker.state == .closed { counted += 1 }
    }

    private mutating func mark(_ index: Int) {
        guard let permit = calls[index].permit, !calls[index].isSlow else { return }
        calls[index].isSlow = true
        breaker.markSlow(permit, now: now)
    }

    private mutating func finish(_ index: Int, _ end: OwnerEvent.End) {
        guard let permit = calls[index].permit.take() else { return }
        released += 1
        let outcome: CircuitBreaker.Outcome =
            switch end {
            case .answered: .success
            case .peerFailed, .timedOut: .failure
            case .cancelled, .threw, .starved: .neutral
            }
        // A slow mark of an earlier state was not heard, and so is this end.
        if outcome == .neutral, !calls[index].isSlow, permit.generation == generation, breaker.state == .closed { counted -= 1 }
        breaker.record(permit, outcome: outcome, now: now)
    }
}

/// A breaker that forgets nothing by time, and a trace of an owner's life.
func ownerTrace(_ random: inout SplitMix64) -> (CircuitBreaker.Configuration, [OwnerEvent]) {
    var configuration = CircuitBreaker.Configuration.random(&random)
    configuration.window = .seconds(100_000)
    let count = Int.random(in: 10 ... 80, using: &random)
    return (configuration, (0 ..< count).map { _ in ownerEvent(&random) })
}

private func ownerEvent(_ random: inout SplitMix64) -> OwnerEvent {
    let index = Int.random(in: 0 ..< 60, using: &random)
    switch Int.random(in: 0 ..< 100, using: &random) {
    case 0 ..< 45: return .start
    case 45 ..< 78: return .end(index, OwnerEvent.End.allCases[index % OwnerEvent.End.allCases.count])
    case 78 ..< 84: return .slow(index)
    case 84 ..< 97: return .wait(Int.random(in: 0 ... 1500, using: &random))
    case 97 ..< 99: return .restart
    default: return .stop
    }
}
