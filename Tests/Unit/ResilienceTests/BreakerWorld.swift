import BulkheadCore
import BulkheadResilience

/// One thing that happens to a breaker. Calls are named by position (modulo those there are), so that a trace with events
/// left out is still a trace.
enum BreakerEvent: Sendable, Hashable {
    case admit
    case end(Int, CircuitBreaker.Outcome)
    case slow(Int)
    /// The owner forgets a call without recording it.
    case lose(Int)
    /// Milliseconds; negative: the clock goes back.
    case wait(Int)
    case restart
    case trip
    case force(CircuitBreaker.Override)
}

/// A breaker, the calls that hold its permits, and a clock that only events move. What it notes about both comes from what
/// can be seen from outside, never from the breaker's own counts.
struct BreakerWorld {
    struct Call {
        let permit: CircuitBreaker.Permit
        /// The stretch of unchanged state it was admitted in.
        let epoch: Int
        let at: MonotonicTime
        var isSlow = false
    }

    /// What one event did.
    struct Seen {
        let before: CircuitBreaker.State
        var answer: CircuitBreaker.Admission?
        /// The call admitted, ended or marked.
        var call: Call?
    }

    let configuration: CircuitBreaker.Configuration
    var breaker: CircuitBreaker
    /// What the breaker is told.
    private(set) var clock = MonotonicTime(nanoseconds: 10_000_000_000_000)
    /// The latest moment the breaker was told.
    private(set) var time = MonotonicTime(nanoseconds: 0)
    private(set) var running: [Call] = []
    private(set) var lost: [Call] = []
    private(set) var epoch = 0

    init(_ configuration: CircuitBreaker.Configuration, seed: UInt64 = 1) {
        self.configuration = configuration
        breaker = CircuitBreaker(configuration, seed: seed)
    }

    /// Whether the breaker is to listen to this call.
    func isCurrent(_ call: Call) -> Bool { call.epoch == epoch && breaker.override == .automatic }

    mutating func apply(_ event: BreakerEvent) -> Seen {
        var seen = Seen(before: breaker.state)
        let override = breaker.override
        switch event {
        case .admit: if running.count < 40 { seen.answer = breaker.admit(now: tell()) }
        case .end(let index, let outcome): seen.call = end(index, outcome)
        case .slow(let index): seen.call = mark(index)
        case .lose(let index): if !running.isEmpty { lost.append(running.remove(at: index % running.count)) }
        case .wait(let milliseconds): clock = clock + .milliseconds(milliseconds)
        case .restart: breaker.peerRestarted(now: tell())
        case .trip: breaker.trip(now: override == .automatic ? tell() : clock)
        case .force(let will): breaker.force(will, now: will != override ? tell() : clock)
        }
        if breaker.state != seen.before || event == .restart || breaker.override != override { epoch += 1 }
        if case .permit(let permit)? = seen.answer {
            let call = Call(permit: permit, epoch: epoch, at: time)
            running.append(call)
            seen.call = call
        }
        return seen
    }

    /// The breaker hears the clock; to an event without effect it does not listen.
    private mutating func tell() -> MonotonicTime {
        time = max(time, clock)
        return clock
    }

    private mutating func end(_ index: Int, _ outcome: CircuitBreaker.Outcome) -> Call? {
        guard !running.isEmpty else { return nil }
        let call = running.remove(at: index % running.count)
        breaker.record(call.permit, outcome: outcome, now: isCurrent(call) ? tell() : clock)
        return call
    }

    private mutating func mark(_ index: Int) -> Call? {
        let quick = running.indices.filter { !running[$0].isSlow }
        guard !quick.isEmpty else { return nil }
        let chosen = quick[index % quick.count]
        running[chosen].isSlow = true
        breaker.markSlow(running[chosen].permit, now: isCurrent(running[chosen]) ? tell() : clock)
        return running[chosen]
    }
}

extension CircuitBreaker.Configuration {
    /// Small numbers, so that short traces reach every state.
    static func random(_ random: inout SplitMix64) -> Self {
        let openFor = Duration.milliseconds(Int.random(in: 1 ... 10, using: &random) * 100)
        return .init(
            failures: .random(in: 1 ... 6, using: &random), failureRatio: .random(in: 0.2 ... 1, using: &random),
            slowRatio: .random(in: 0.2 ... 1, using: &random), minRequests: .random(in: 1 ... 12, using: &random),
            window: .seconds(Int.random(in: 1 ... 10, using: &random)), openFor: openFor,
            openForMax: openFor * Double.random(in: 1 ... 16, using: &random),
            jitter: .random(in: 0 ... 1, using: &random), calmAfter: .seconds(Int.random(in: 1 ... 20, using: &random)),
            halfOpenSuccesses: .random(in: 1 ... 14, using: &random),
            probeLease: .milliseconds(Int.random(in: 2 ... 50, using: &random) * 100))
    }
}

/// A configuration and a trace of up to 80 events, in a mood: some traces fail mostly, some hardly ever.
func breakerTrace(_ random: inout SplitMix64) -> (CircuitBreaker.Configuration, [BreakerEvent]) {
    let configuration = CircuitBreaker.Configuration.random(&random)
    let badness = [5, 30, 80][Int.random(in: 0 ..< 3, using: &random)]
    let count = Int.random(in: 10 ... 80, using: &random)
    return (configuration, (0 ..< count).map { _ in breakerEvent(&random, badness) })
}

private func breakerEvent(_ random: inout SplitMix64, _ badness: Int) -> BreakerEvent {
    let index = Int.random(in: 0 ..< 40, using: &random)
    switch Int.random(in: 0 ..< 100, using: &random) {
    case 0 ..< 42: return .admit
    case 42 ..< 66: return .end(index, Int.random(in: 0 ..< 100, using: &random) < badness ? .failure : .success)
    case 66 ..< 71: return .end(index, .neutral)
    case 71 ..< 77: return Int.random(in: 0 ..< 100, using: &random) < badness ? .slow(index) : .end(index, .success)
    case 77 ..< 79: return .lose(index)
    case 79 ..< 91: return .wait(Int.random(in: 0 ... [50, 500, 5000][index % 3], using: &random))
    case 91 ..< 93: return .wait(-Int.random(in: 0 ... 3000, using: &random))
    case 93 ..< 95: return .restart
    case 95 ..< 96: return .trip
    case 96 ..< 97: return .wait(25_000)
    case 97 ..< 98: return .force(.open)
    case 98 ..< 99: return .force(.closed)
    default: return .force(.automatic)
    }
}
