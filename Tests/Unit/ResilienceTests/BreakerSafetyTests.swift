import BulkheadCore
import BulkheadResilience
import Testing

/// What a breaker never does, over random traces; a failure prints its seed and the shortest trace found.
@Suite("Circuit breaker, safety over random traces")
struct BreakerSafetyTests {
    /// Asks for a violation after every event of every trace.
    private func always(
        sourceLocation: SourceLocation = #_sourceLocation, _ violation: (BreakerWorld, BreakerEvent, BreakerWorld.Seen) -> String?
    ) {
        forAll(breakerTrace, sourceLocation: sourceLocation) { configuration, events in
            var world = BreakerWorld(configuration)
            for event in events {
                let seen = world.apply(event)
                if let what = violation(world, event, seen) { return what }
            }
            return nil
        }
    }

    @Test("P1: probes in flight never exceed the places of the ramp, and a free place is given")
    func probes() {
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            var good = 0
            var epoch = 0
            for event in events {
                let seen = world.apply(event)
                if world.epoch != epoch { (epoch, good) = (world.epoch, 0) }
                if case .end(_, .success) = event, let call = seen.call, world.isCurrent(call) { good += 1 }
                guard world.breaker.state == .halfOpen else { continue }
                let places = good == 0 ? 1 : good == 1 ? 3 : 10
                let out = (world.running + world.lost).count {
                    $0.epoch == world.epoch && world.time < $0.at + configuration.probeLease
                }
                if out > places { return "\(out) probes out at \(places) places" }
                switch seen.answer {
                case .permit(let permit)? where permit.probe == nil: return "a call that is no probe was let through"
                case .rejected? where out < places: return "a probe was refused with \(out) out at \(places) places"
                default: break
                }
            }
            return nil
        }
    }

    @Test("P3: open issues nothing before its cooldown, which doubles up to its limit")
    func cooldown() {
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            var watch = CooldownWatch(configuration: configuration)
            for event in events {
                let seen = world.apply(event)
                if let what = watch.violation(world, event, seen) { return what }
            }
            return nil
        }
    }

    @Test("P5: a result of an earlier generation has no effect, one of the present is heard")
    func stale() {
        always { world, _, _ in
            for call in world.running {
                if world.isCurrent(call) {
                    if call.permit.generation != world.breaker.generation { return "call \(call.permit) would not be heard" }
                    continue
                }
                var copy = world.breaker
                let later = world.time + .seconds(3)
                for outcome in CircuitBreaker.Outcome.allCases { copy.record(call.permit, outcome: outcome, now: later) }
                copy.markSlow(call.permit, now: later)
                if copy != world.breaker { return "stale call \(call.permit) had an effect" }
            }
            return nil
        }
    }

    @Test("P7: neutral outcomes never trip, however many, and take back only themselves")
    func neutral() {
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            var mild = BreakerWorld(configuration)
            for event in events {
                let (before, inARow, failed) = (
                    world.breaker.state, world.breaker.consecutiveFailures, world.breaker.window.sum.failed
                )
                let seen = world.apply(event)
                if case .end(_, .neutral) = event {
                    if world.breaker.state != before { return "neutral led from \(before) to \(world.breaker.state)" }
                    let isSame = inARow == world.breaker.consecutiveFailures && world.breaker.window.sum.failed <= failed
                    if seen.call != nil, !isSame { return "neutral counted as failure" }
                }
                if let event = event.mild { _ = mild.apply(event) }
                if mild.breaker.state != .closed { return "opened without a failure or a slow call" }
            }
            return nil
        }
    }

    @Test("P8: a clock that stands still or goes back is as one that waits")
    func backwards() {
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            var steady = CircuitBreaker(configuration, seed: 1)
            for event in events {
                let seen = world.apply(event)
                let answer = steady.repeated(event, seen, now: world.time)
                if answer != seen.answer {
                    return "answered \(String(describing: seen.answer)), steady \(String(describing: answer))"
                }
                if steady != world.breaker { return "differs from the breaker with a steady clock" }
            }
            return nil
        }
    }

    @Test("P10: forced states are entered and left by the operator only, and obeyed")
    func forced() {
        forAll(breakerTrace) { configuration, events in
            var world = BreakerWorld(configuration)
            var will = CircuitBreaker.Override.automatic
            for event in events {
                let wasForced = will != .automatic
                if case .force(let override) = event { will = override }
                let seen = world.apply(event)
                let state = world.breaker.state
                if will != .automatic, world.breaker.window.sum.issued != 0 { return "counted a call while \(state)" }
                switch will {
                case .open: if state != .forcedOpen || seen.call != nil && event == .admit { return "\(state), forced open" }
                case .closed: if state != .forcedClosed || seen.isRejected { return "\(state), forced closed" }
                case .automatic:
                    if state == .forcedOpen || state == .forcedClosed { return "\(state) against the operator's will" }
                    if wasForced, state != .closed { return "\(state) right after a forced state" }
                }
            }
            return nil
        }
    }
}

/// Knows from outside how long every cooldown may be, and that nothing passes before its end.
struct CooldownWatch {
    let configuration: CircuitBreaker.Configuration
    private var openings = 0
    private var closedAt: MonotonicTime?
    private var opensUntil: MonotonicTime?

    init(configuration: CircuitBreaker.Configuration) { self.configuration = configuration }

    mutating func violation(_ world: BreakerWorld, _ event: BreakerEvent, _ seen: BreakerWorld.Seen) -> String? {
        let state = world.breaker.state
        if let until = opensUntil, event == .admit {
            if seen.call != nil, world.time < until { return "admitted \(until - world.time) before the cooldown's end" }
            if seen.call == nil, world.time >= until { return "refused a probe after the cooldown" }
            if seen.isRejected, seen.answer != .rejected(retryAfter: until - world.time) { return "wrong time to come again" }
        }
        opensUntil = world.breaker.probeTime
        if event == .restart { openings = 0 }
        if case .force = event, state != seen.before { openings = 0 }
        defer { if state == .closed, seen.before != .closed { closedAt = world.time } }
        guard state == .open, seen.before != .open, let until = opensUntil else { return nil }
        if seen.before == .closed, let closedAt, world.time - closedAt >= configuration.calmAfter { openings = 0 }
        let nominal = min(configuration.openFor * Double(1 << openings), configuration.openForMax)
        openings += 1
        let most = min(nominal * (1 + configuration.jitter), configuration.openForMax)
        let cooldown = until - world.time
        let isRight = cooldown >= nominal * (1 - configuration.jitter) - .microseconds(1) && cooldown <= most + .microseconds(1)
        return isRight ? nil : "cooldown number \(openings) is \(cooldown), nominal \(nominal)"
    }
}

extension BreakerWorld.Seen {
    var isRejected: Bool { if case .rejected? = answer { true } else { false } }
}

extension BreakerEvent {
    /// The event without what may open a breaker: failures and slow calls become neutral ends.
    fileprivate var mild: BreakerEvent? {
        switch self {
        case .end(let index, .failure), .slow(let index): .end(index, .neutral)
        case .trip, .force: nil
        default: self
        }
    }
}

extension CircuitBreaker {
    /// Does to this breaker what `seen` says was done to another.
    fileprivate mutating func repeated(_ event: BreakerEvent, _ seen: BreakerWorld.Seen, now: MonotonicTime) -> Admission? {
        switch event {
        case .admit: return seen.answer == nil ? nil : admit(now: now)
        case .end(_, let outcome): if let call = seen.call { record(call.permit, outcome: outcome, now: now) }
        case .slow: if let call = seen.call { markSlow(call.permit, now: now) }
        case .restart: peerRestarted(now: now)
        case .trip: trip(now: now)
        case .force(let override): force(override, now: now)
        case .lose, .wait: break
        }
        return nil
    }
}
