import BulkheadCore

/// Closed: what calls do to the counts.
extension CircuitBreaker {
    mutating func recordCall(_ permit: Permit, _ outcome: Outcome, _ now: MonotonicTime) {
        window.settle(now: now)
        let slowIn = slowCalls.isEmpty ? nil : slowCalls.removeValue(forKey: permit.serial)
        switch outcome {
        case .neutral:
            if slowIn == nil { window.remove(.init(issued: 1), from: permit.bucket) }
        case .success:
            consecutiveFailures = 0
        case .failure:
            consecutiveFailures += 1
            // What the call was counted as moves to the present bucket; a mark that has left the window stays gone.
            let isSlow = slowIn.map { window.remove(.init(issued: 1, slow: 1), from: $0) } ?? false
            if slowIn == nil { window.remove(.init(issued: 1), from: permit.bucket) }
            window.add(.init(issued: 1, failed: 1, slow: isSlow ? 1 : 0))
            if isUnhealthy { open(now) }
        }
    }

    mutating func countSlow(_ permit: Permit, _ now: MonotonicTime) {
        guard slowCalls.count < Self.slowLimit, slowCalls[permit.serial] == nil else { return }
        window.settle(now: now)
        window.remove(.init(issued: 1), from: permit.bucket)
        window.add(.init(issued: 1, slow: 1))
        slowCalls[permit.serial] = window.newest
        if isUnhealthy { open(now) }
    }

    /// Asked only after bad news, so that a success or a neutral end never opens anything.
    private var isUnhealthy: Bool {
        let counts = window.sum
        if consecutiveFailures >= configuration.failures { return true }
        guard counts.issued >= configuration.minRequests else { return false }
        // A quotient compares exactly with a ratio written in decimals; a product would not (0.55 · 20 > 11).
        return counts.failed > 0 && Double(counts.failed) / Double(counts.issued) >= configuration.failureRatio
            || counts.slow > 0 && Double(counts.slow) / Double(counts.issued) >= configuration.slowRatio
    }
}

/// Half-open: probes and their leases.
extension CircuitBreaker {
    mutating func admitProbe(_ before: HalfOpen, _ now: MonotonicTime) -> Admission {
        var halfOpen = before
        halfOpen.leases.removeAll { $0.expires <= now }
        defer { phase = .halfOpen(halfOpen) }
        guard halfOpen.leases.count < halfOpen.places else {
            let free = halfOpen.leases.map(\.expires).min() ?? now
            return .rejected(retryAfter: min(configuration.openFor, free - now))
        }
        let permit = permit(isProbe: true)
        halfOpen.leases.append(Lease(probe: permit.serial, expires: now + configuration.probeLease))
        return .permit(permit)
    }

    mutating func recordProbe(_ permit: Permit, _ before: HalfOpen, _ outcome: Outcome, _ now: MonotonicTime) {
        var halfOpen = before
        halfOpen.leases.removeAll { $0.probe == permit.serial }
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
}

/// The moves between states.
extension CircuitBreaker {
    mutating func open(_ now: MonotonicTime) {
        if let since = closedSince, now - since >= configuration.calmAfter { openings = 0 }
        closedSince = nil
        let cooldown = nextCooldown()
        openings += 1
        enter(.open(until: now + cooldown))
    }

    mutating func close(_ now: MonotonicTime) {
        closedSince = now
        enter(.closed)
    }

    /// Every state starts with nothing counted: what an earlier one knew must not weigh on it.
    mutating func enter(_ phase: Phase) {
        self.phase = phase
        generation += 1
        consecutiveFailures = 0
        window.clear()
        slowCalls.removeAll()
    }

    /// Evenly between `nominal · (1 - jitter)` and `nominal · (1 + jitter)`, cut off at the limit: at the limit, too, breakers
    /// that opened together do not probe together.
    private mutating func nextCooldown() -> Duration {
        let nominal = min(configuration.openFor * Double(1 << min(openings, 30)), configuration.openForMax)
        let least = nominal * (1 - configuration.jitter)
        let most = min(nominal * (1 + configuration.jitter), configuration.openForMax)
        return least + (most - least) * jitter.unit()
    }
}
