import BulkheadCore

/// Keeps callers away from a peer that fails, and finds out with few calls when it is well again.
///
/// States:
/// - closed: every call is admitted. Opens on `failures` consecutive failures, or when at least `minRequests` calls were
///   issued in the window and `failureRatio` of them failed or `slowRatio` of them were slow, or when it is tripped.
/// - open: no call is admitted until the cooldown ends. The cooldown is `openFor`, doubled with every opening, never above
///   `openForMax`, with jitter. It starts anew after `calmAfter` of closed.
/// - half-open: 1, then 3, then 10 probes at once. `halfOpenSuccesses` good ones close it, one bad or slow one opens it.
/// - forced open, forced closed: set by an operator, left only by an operator.
///
/// A value: `(state, event, now)` in, `(state, answer)` out. No clock, timer, lock or random source of its own; the jitter
/// comes from the seed. The owner guards it with whatever guards the rest of its state. Time never goes back in here: an
/// earlier `now` counts as the latest one seen.
///
/// Every admitted call carries a `Permit` and is recorded exactly once. Calls are counted when they are issued, so that a
/// peer that answers nothing is seen; one that fails or becomes slow is counted at that moment instead. A result that belongs
/// to an earlier generation is ignored, so that a slow old call neither opens nor closes anything. A probe is a lease: one
/// that is never recorded frees its place after `probeLease`; if its result comes after all, it counts.
///
/// ```
/// switch breaker.admit(now: .now()) {
/// case .permit(let permit):
///     /* call; while it runs and passes its slow threshold: */ breaker.markSlow(permit, now: .now())
///     /* at its end: */ breaker.record(permit, outcome: .success, now: .now())
/// case .rejected(let retryAfter): /* fail fast, tell the caller when to come again */
/// }
/// ```
package struct CircuitBreaker: Sendable, Hashable {
    /// Running calls whose slowness is remembered at most; beyond it a slow mark has no effect.
    static let slowLimit = 4096

    package let configuration: Configuration
    package internal(set) var override = Override.automatic
    package internal(set) var phase = Phase.closed
    /// Grows with every change of state; permits of an earlier one are void.
    package internal(set) var generation: UInt64 = 0
    /// The calls of the closed state.
    package internal(set) var window: OutcomeWindow
    package internal(set) var consecutiveFailures = 0
    /// Openings since it was last closed for long; the next cooldown's exponent.
    package internal(set) var openings = 0
    /// Running calls that were marked slow, by serial, with the bucket that counts them.
    var slowCalls: [UInt64: UInt64] = [:]
    var closedSince: MonotonicTime?
    var jitter: SplitMix64
    private var nextSerial: UInt64 = 0
    private var latest = MonotonicTime(nanoseconds: 0)

    /// - Parameter seed: starts the jitter; give every breaker its own so that they do not probe in step.
    package init(_ configuration: Configuration = Configuration(), seed: UInt64 = 0) {
        self.configuration = configuration
        self.window = OutcomeWindow(bucket: configuration.window / 10, count: 10)
        self.jitter = SplitMix64(seed: seed)
    }

    /// The state as people see it. An open breaker whose cooldown has ended stays `open` until a call asks for admission.
    package var state: State {
        switch override {
        case .open: return .forcedOpen
        case .closed: return .forcedClosed
        case .automatic: break
        }
        switch phase {
        case .closed: return .closed
        case .open: return .open
        case .halfOpen: return .halfOpen
        }
    }

    /// When an open breaker admits its next probe; nil in every other state.
    package var probeTime: MonotonicTime? {
        if case .open(let until) = phase, override == .automatic { until } else { nil }
    }

    /// May a call be made now? A permit must be handed back through `record`.
    package mutating func admit(now: MonotonicTime) -> Admission {
        let now = settle(now)
        switch override {
        case .open: return .rejected(retryAfter: configuration.openForMax)
        case .closed: return .permit(permit())
        case .automatic: break
        }
        if case .open(let until) = phase {
            guard now >= until else { return .rejected(retryAfter: until - now) }
            enter(.halfOpen(HalfOpen()))
        }
        if case .halfOpen(let halfOpen) = phase { return admitProbe(halfOpen, now) }
        window.settle(now: now)
        window.add(.init(issued: 1))
        return .permit(permit())
    }

    /// Takes the end of an admitted call into account. Results of an earlier generation have no effect.
    package mutating func record(_ permit: Permit, outcome: Outcome, now: MonotonicTime) {
        guard isCurrent(permit) else { return }
        let now = settle(now)
        switch phase {
        case .closed: recordCall(permit, outcome, now)
        case .open: break
        case .halfOpen(let halfOpen): recordProbe(permit, halfOpen, outcome, now)
        }
    }

    /// A running call has passed its slow threshold; the owner keeps the threshold and the timer and says so once per call.
    /// The mark stays whatever the end, so that callers who lose patience do not hide a peer that hangs. A slow probe is a
    /// bad one. No effect for a permit of an earlier generation.
    package mutating func markSlow(_ permit: Permit, now: MonotonicTime) {
        guard isCurrent(permit) else { return }
        let now = settle(now)
        switch phase {
        case .closed: countSlow(permit, now)
        case .open: break
        case .halfOpen: open(now)
        }
    }

    /// The peer is known to be of no use (handshakes unanswered, not serving): opens at once. No effect while forced or open.
    package mutating func trip(now: MonotonicTime) {
        guard override == .automatic else { return }
        let now = settle(now)
        if case .open = phase { return }
        open(now)
    }

    /// The peer is a new process: what was known of the old one is void, and so are the permits of calls made to it. An open
    /// breaker goes to half-open at once.
    package mutating func peerRestarted(now: MonotonicTime) {
        _ = settle(now)
        openings = 0
        switch phase {
        case .closed: enter(.closed)
        case .open, .halfOpen: enter(.halfOpen(HalfOpen()))
        }
    }

    /// Forces the breaker open or closed, or lets it decide again. Back on automatic it starts closed, with nothing counted.
    package mutating func force(_ override: Override, now: MonotonicTime) {
        guard override != self.override else { return }
        self.override = override
        openings = 0
        close(settle(now))
    }

    /// A permit of the present generation.
    mutating func permit(isProbe: Bool = false) -> Permit {
        nextSerial += 1
        return Permit(
            generation: generation, serial: nextSerial, probe: isProbe ? nextSerial : nil, bucket: window.newest)
    }

    private func isCurrent(_ permit: Permit) -> Bool { permit.generation == generation && override == .automatic }

    private mutating func settle(_ now: MonotonicTime) -> MonotonicTime {
        latest = max(latest, now)
        return latest
    }
}
