import BulkheadCore
import BulkheadResilience

/// What a link knows of itself: the breaker, the counts and the state shown to people. Guarded by the link's mutex, so that
/// it can be read from any thread; never held while something is called.
struct LinkBook {
    var breaker: CircuitBreaker
    var retries = RetryBudget()
    var state = LinkState.connecting
    var stateSince: MonotonicTime
    private var inFlight = ClassLimits(each: 0)
    var calls: UInt64 = 0
    var failures: UInt64 = 0
    var lastError: String?
    private(set) var health: PeerHealth?
    private var healthSince: MonotonicTime?
    var instance: [UInt8] = []
    var pid: Int32?
    /// The caller's methods as the last connection negotiated them.
    private(set) var methods: [LinkMethod] = []
    private var latency: LatencyHistogram

    enum Admission {
        case permit(CircuitBreaker.Permit)
        /// As many calls in flight as allowed.
        case full
        case rejected(retryAfter: Duration, isProbing: Bool)
    }

    init(_ configuration: CircuitBreaker.Configuration, now: MonotonicTime) {
        breaker = CircuitBreaker(configuration, seed: .random(in: .min ... .max))
        stateSince = now
        latency = LatencyHistogram(now: now)
    }

    /// - Parameter isRetry: a second try of a call that was counted with its first.
    mutating func admit(_ methodClass: MethodClass, isRetry: Bool, limits: ClassLimits, now: MonotonicTime) -> Admission {
        guard inFlight[methodClass] < limits[methodClass] else { return .full }
        switch breaker.admit(now: now) {
        case .rejected(let retryAfter): return .rejected(retryAfter: retryAfter, isProbing: breaker.state == .halfOpen)
        case .permit(let permit):
            inFlight[methodClass] += 1
            if !isRetry {
                calls += 1
                retries.deposit(now: now)
            }
            return .permit(permit)
        }
    }

    /// A call that was admitted is over. - Returns: true when calls that wait may now be admitted.
    mutating func end(
        _ methodClass: MethodClass, _ permit: CircuitBreaker.Permit?, _ outcome: CircuitBreaker.Outcome, _ took: Duration,
        now: MonotonicTime
    ) -> Bool {
        inFlight[methodClass] -= 1
        latency.record(took, now: now)
        if outcome == .failure { failures += 1 }
        guard let permit else { return false }
        breaker.record(permit, outcome: outcome, now: now)
        return permit.probe != nil
    }

    /// A call could not even be issued.
    mutating func countUnreachable(now: MonotonicTime) {
        calls += 1
        failures += 1
        if case .permit(let permit) = breaker.admit(now: now) { breaker.record(permit, outcome: .failure, now: now) }
    }

    mutating func enter(_ state: LinkState, now: MonotonicTime) -> Bool {
        guard state != self.state else { return false }
        self.state = state
        stateSince = now
        return true
    }

    /// The peer introduced itself. Another instance than before is a new process and gets a new chance at once.
    mutating func introduce(_ hello: Hello, _ methods: [LinkMethod], now: MonotonicTime) {
        self.methods = methods
        let introduced = hello.instance.map { Array($0.readableBytesView) } ?? []
        if introduced != instance, !instance.isEmpty { breaker.peerRestarted(now: now) }
        instance = introduced
        pid = Int32(clamping: hello.pid)
    }

    /// The peer said how it is. - Returns: whether that is news.
    mutating func take(_ health: PeerHealth, now: MonotonicTime) -> Bool {
        guard health != self.health else { return false }
        self.health = health
        healthSince = now
        return true
    }

    func snapshot(peer: String, now: MonotonicTime) -> LinkSnapshot {
        var snapshot = LinkSnapshot(peer: peer, state: state)
        snapshot.stateSeconds = (now - stateSince).milliseconds / 1000
        // Open with its cooldown over: the next call is a probe. An idle link is not called broken for ever.
        let isDue = breaker.probeTime.map { $0 <= now } ?? false
        snapshot.breaker = (isDue ? CircuitBreaker.State.halfOpen : breaker.state).rawValue
        snapshot.inFlight = inFlight.total
        snapshot.calls = calls
        snapshot.failures = failures
        snapshot.lastError = lastError
        snapshot.p50Milliseconds = latency.quantile(0.5)
        snapshot.p99Milliseconds = latency.quantile(0.99)
        snapshot.peerHealth = health?.state.rawValue
        snapshot.peerReason = health?.reason
        snapshot.peerHealthSeconds = healthSince.map { (now - $0).milliseconds / 1000 }
        snapshot.peerFailingStores = health.flatMap { $0.failingStores.isEmpty ? nil : $0.failingStores }
        snapshot.peerInstance = instance.isEmpty ? nil : instance.hexadecimal
        snapshot.peerPID = pid
        snapshot.skewed = methods.filter { $0.version == .skewed }.map(\.name)
        return snapshot
    }
}

extension [UInt8] {
    /// Two lower-case digits a byte.
    var hexadecimal: String { map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
}
