import BulkheadCore

/// Keeps callers away from a peer that fails, and finds out with few calls when it is well again.
///
/// States:
/// - closed: every call is admitted. Opens on `failures` consecutive failures, or when at least `minRequests` calls were
///   issued in the window and `failureRatio` of them failed.
/// - open: no call is admitted until the cooldown ends. The cooldown is `openFor`, doubled with every probe that fails,
///   never above `openForMax`, with ±20 % jitter. It starts anew after 60 s of closed.
/// - half-open: 1, then 3, then 10 probes at once. `halfOpenSuccesses` good ones close it, one bad one opens it.
/// - forced open, forced closed: set by an operator, left only by an operator.
///
/// A value: `(state, event, now)` in, `(state, answer)` out. No clock, timer, lock or random source of its own; the jitter
/// comes from the seed. The owner guards it with whatever guards the rest of its state.
///
/// Every admitted call carries a `Permit` and is recorded exactly once. Calls are counted when they are issued, so that a
/// peer that answers nothing is seen; a result that belongs to an earlier state is ignored, so that a slow old call neither
/// opens nor closes anything. A probe is a lease: one that is never recorded frees its place after `probeLease`.
///
/// ```
/// switch breaker.admit(now: .now()) {
/// case .permit(let permit): /* call */ breaker.record(permit, outcome: .success, now: .now())
/// case .rejected(let retryAfter): /* fail fast, tell the caller when to come again */
/// }
/// ```
package struct CircuitBreaker: Sendable {
    /// When a breaker opens and how it closes again.
    package struct Configuration: Sendable, Equatable {
        /// Consecutive failures that open it.
        package var failures: Int
        /// Share of failed calls in the window that opens it, 0…1.
        package var failureRatio: Double
        /// Calls in the window below which the ratio says nothing.
        package var minRequests: Int
        package var window: Duration
        /// The first cooldown; doubles with every failed probe, with jitter.
        package var openFor: Duration
        package var openForMax: Duration
        /// Good probes that close it.
        package var halfOpenSuccesses: Int
        /// After this long a probe without a result no longer takes a place.
        package var probeLease: Duration

        /// A configuration; the defaults are those of a link.
        package init(
            failures: Int = 5, failureRatio: Double = 0.5, minRequests: Int = 20, window: Duration = .seconds(10),
            openFor: Duration = .milliseconds(500), openForMax: Duration = .seconds(30), halfOpenSuccesses: Int = 2,
            probeLease: Duration = .seconds(10)
        ) {
            self.failures = failures
            self.failureRatio = failureRatio
            self.minRequests = minRequests
            self.window = window
            self.openFor = openFor
            self.openForMax = openForMax
            self.halfOpenSuccesses = halfOpenSuccesses
            self.probeLease = probeLease
        }
    }

    /// What `links` and `breakers` show.
    package enum State: String, Sendable, Codable, CaseIterable {
        case closed
        case open
        case halfOpen = "half-open"
        case forcedOpen = "forced-open"
        case forcedClosed = "forced-closed"
    }

    /// What a call's end says about the peer.
    package enum Outcome: Sendable, CaseIterable {
        /// The peer is alive and did its work, even if the answer was a refusal.
        case success
        /// The peer, or the way to it, is broken.
        case failure
        /// Says nothing: cancelled by the caller, not enough time given, refused for overload.
        case neutral
    }

    /// The right to make one call, and the debt to record its end once.
    package struct Permit: Sendable, Equatable {
        /// The state's generation in which the permit was given.
        package let generation: UInt64
        /// Number of the probe, or nil for a call in normal operation.
        package let probe: UInt64?
    }

    /// The answer to "may I call?".
    package enum Admission: Sendable, Equatable {
        case permit(Permit)
        /// Call again after this time: the end of the cooldown, or a moment when the probes are out.
        case rejected(retryAfter: Duration)
    }

    /// The operator's will.
    package enum Override: Sendable, CaseIterable {
        case automatic
        case open
        case closed
    }

    package let configuration: Configuration
    private(set) var override = Override.automatic
    private(set) var phase = Phase.closed
    private(set) var generation: UInt64 = 0
    private(set) var window: OutcomeWindow
    private(set) var consecutiveFailures = 0
    private(set) var openings = 0
    private var closedSince: MonotonicTime?
    private var nextProbe: UInt64 = 0
    private var jitter: SplitMix64

    /// The automatic state underneath an override.
    enum Phase: Equatable {
        case closed
        case open(until: MonotonicTime)
        case halfOpen(HalfOpen)
    }

    struct HalfOpen: Equatable {
        var successes = 0
        /// Probes without a result, with the end of their lease; at most ten.
        var leases: [Lease] = []

        struct Lease: Equatable {
            let probe: UInt64
            let expires: MonotonicTime
        }
    }

    /// - Parameter seed: starts the jitter; give every breaker its own so that they do not probe in step.
    package init(_ configuration: Configuration = Configuration(), seed: UInt64 = 0) {
        self.configuration = configuration
        self.window = OutcomeWindow(length: configuration.window)
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
        switch override {
        case .open: return .rejected(retryAfter: configuration.openForMax)
        case .closed: return .permit(Permit(generation: generation, probe: nil))
        case .automatic: break
        }
        if case .open(let until) = phase {
            guard now >= until else { return .rejected(retryAfter: until - now) }
            enter(.halfOpen(HalfOpen()))
        }
        guard case .halfOpen(var halfOpen) = phase else {
            window.issue(now: now)
            return .permit(Permit(generation: generation, probe: nil))
        }
        halfOpen.leases.removeAll { $0.expires <= now }
        defer { phase = .halfOpen(halfOpen) }
        guard halfOpen.leases.count < Self.probes(after: halfOpen.successes) else {
            let free = halfOpen.leases.map(\.expires).min() ?? now
            return .rejected(retryAfter: min(configuration.openFor, free - now))
        }
        nextProbe += 1
        halfOpen.leases.append(.init(probe: nextProbe, expires: now + configuration.probeLease))
        return .permit(Permit(generation: generation, probe: nextProbe))
    }

    /// Takes the end of an admitted call into account. Results of an earlier generation have no effect.
    package mutating func record(_ permit: Permit, outcome: Outcome, now: MonotonicTime) {
        guard permit.generation == generation, override == .automatic else { return }
        switch phase {
        case .closed: recordClosed(outcome, now)
        case .open: break
        case .halfOpen(let halfOpen): recordProbe(permit, halfOpen, outcome, now)
        }
    }

    /// The peer is a new process: what was known of the old one is void. An open breaker goes to half-open at once.
    package mutating func peerRestarted(now: MonotonicTime) {
        window.clear()
        consecutiveFailures = 0
        openings = 0
        switch phase {
        case .closed: break
        case .open, .halfOpen: enter(.halfOpen(HalfOpen()))
        }
    }

    /// Forces the breaker open or closed, or lets it decide again. Back on automatic it starts closed, with nothing counted.
    package mutating func force(_ override: Override, now: MonotonicTime) {
        guard override != self.override else { return }
        self.override = override
        openings = 0
        close(now)
    }

    /// Concurrent probes after so many good ones: a returning peer is loaded step by step.
    static func probes(after successes: Int) -> Int {
        switch successes {
        case 0: 1
        case 1: 3
        default: 10
        }
    }
}

extension CircuitBreaker {
    private mutating func recordClosed(_ outcome: Outcome, _ now: MonotonicTime) {
        switch outcome {
        case .neutral:
            window.withdraw(now: now)
        case .success:
            consecutiveFailures = 0
            if let since = closedSince, now - since >= .seconds(60) { openings = 0 }
        case .failure:
            consecutiveFailures += 1
            window.fail(now: now)
            let (issued, failed) = window.totals(now: now)
            let byRatio = issued >= configuration.minRequests && Double(failed) >= configuration.failureRatio * Double(issued)
            if consecutiveFailures >= configuration.failures || byRatio { open(now) }
        }
    }

    private mutating func recordProbe(_ permit: Permit, _ before: HalfOpen, _ outcome: Outcome, _ now: MonotonicTime) {
        var halfOpen = before
        halfOpen.leases.removeAll { $0.probe == permit.probe }
        switch outcome {
        case .neutral:
            phase = .halfOpen(halfOpen)
        case .failure:
            open(now)
        case .success:
            halfOpen.successes += 1
            phase = .halfOpen(halfOpen)
            if halfOpen.successes >= configuration.halfOpenSuccesses { close(now) }
        }
    }

    private mutating func open(_ now: MonotonicTime) {
        if let since = closedSince, now - since >= .seconds(60) { openings = 0 }
        let doublings = Double(1 << min(openings, 30))
        openings += 1
        let cooldown = min(configuration.openFor * doublings * (0.8 + 0.4 * jitter.unit()), configuration.openForMax)
        enter(.open(until: now + cooldown))
    }

    private mutating func close(_ now: MonotonicTime) {
        window.clear()
        consecutiveFailures = 0
        closedSince = now
        enter(.closed)
    }

    private mutating func enter(_ phase: Phase) {
        self.phase = phase
        generation += 1
    }
}
