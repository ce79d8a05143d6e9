import BulkheadCore
import BulkheadResilience

/// What keeps a target from being asked now.
package enum Hindrance: Error, Sendable, Equatable {
    /// The operator switched it off.
    case disabled
    /// Its account refused and is left alone.
    case account(CredentialCooldowns.Refusal)
    /// Its breaker is open; the time until it lets a request through.
    case breaker(Duration)
}

/// Decides whether a target may be asked: the switch of the operator, the account, the breaker, in this order.
package struct TargetGate: Sendable {
    /// Leave to make one try; both parts must be recorded.
    package struct Permit: Sendable {
        package let breaker: CircuitBreaker.Permit
        package let account: CredentialCooldowns.Permit
    }

    package let breakers: TargetBreakers
    package let cooldowns: CredentialCooldowns
    package let switches: TargetSwitches

    package init(breakers: TargetBreakers, cooldowns: CredentialCooldowns, switches: TargetSwitches) {
        self.breakers = breakers
        self.cooldowns = cooldowns
        self.switches = switches
    }

    package func admit(_ target: Target, now: MonotonicTime) -> Result<Permit, Hindrance> {
        if switches.isDisabled(target.label) { return .failure(.disabled) }
        let account: CredentialCooldowns.Permit
        switch cooldowns.admit(target.destination, now: now) {
        case .failure(let refusal): return .failure(.account(refusal))
        case .success(let permit): account = permit
        }
        switch breakers.admit(target, now: now) {
        case .permit(let permit): return .success(Permit(breaker: permit, account: account))
        case .rejected(let wait):
            // The account's probe was not used: it goes back without a verdict.
            cooldowns.record(target.destination, account, .unused, now: now)
            return .failure(.breaker(wait))
        }
    }

    /// What `admit` would refuse with; changes nothing. nil: it would not.
    package func look(_ target: Target, now: MonotonicTime) -> Hindrance? {
        if switches.isDisabled(target.label) { return .disabled }
        if let refusal = cooldowns.look(target.destination, now: now) { return .account(refusal) }
        return breakers.wait(target, now: now).map { .breaker($0) }
    }
}

extension TargetFailure {
    /// The leave to ask was not used.
    static let unused = TargetFailure(.cancelled, CallError(.cancelled, message: "nothing was asked"))
}
