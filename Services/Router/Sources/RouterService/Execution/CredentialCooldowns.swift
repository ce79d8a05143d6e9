import BulkheadCore
import BulkheadResilience
import Synchronization

/// Leaves a provider's account alone after it refused the stored secret twice in a row, or had no credit left: true for all of
/// its models, and asking on would only draw attention. A single refusal may be of one model, or of a provider's bad moment. Ended by time and real traffic: one request is let through and decides.
///
/// Nothing is kept of accounts that never refused.
package final class CredentialCooldowns: Sendable {
    /// Why an account is left alone.
    package enum Cause: String, Sendable, CaseIterable {
        case credential
        case quota

        /// Whether the end of a try (nil: it was answered) shows that the cause is gone.
        fileprivate func isOver(_ kind: TargetFailure.Kind?) -> Bool {
            switch kind {
            case nil: true
            // Who judges a request has let its sender in.
            case .callersMistake, .tooLong, .prefillRefused, .outOfQuota: self == .credential
            default: false
            }
        }

        fileprivate var configuration: CircuitBreaker.Configuration {
            switch self {
            // A secret is corrected within seconds by whoever watches, or not for long.
            case .credential: .init(failures: 2, openFor: .seconds(5), openForMax: .seconds(300), halfOpenSuccesses: 1)
            case .quota: .init(failures: 1, openFor: .seconds(60), openForMax: .seconds(900), halfOpenSuccesses: 1)
            }
        }

        /// How long an account is left alone at first, and at most.
        package var rest: (first: Duration, most: Duration) { (configuration.openFor, configuration.openForMax) }
    }

    /// Leave to ask one account once; must be recorded.
    package struct Permit: Sendable {
        fileprivate var permits: [(cause: Cause, permit: CircuitBreaker.Permit)] = []
    }

    private struct Key: Hashable {
        var destination: String
        var cause: Cause
    }

    private let breakers = Mutex<[Key: CircuitBreaker]>([:])

    package init() {}

    /// - Returns: leave to ask, or why and for how long not.
    package func admit(_ destination: String, now: MonotonicTime) -> Result<Permit, Refusal> {
        breakers.withLock { Self.admit(destination, &$0, now: now) }
    }

    /// What `admit` would refuse with; changes nothing.
    package func look(_ destination: String, now: MonotonicTime) -> Refusal? {
        var copy = breakers.withLock { $0 }
        guard case .failure(let refusal) = Self.admit(destination, &copy, now: now) else { return nil }
        return refusal
    }

    private static func admit(_ destination: String, _ breakers: inout [Key: CircuitBreaker], now: MonotonicTime)
        -> Result<Permit, Refusal>
    {
        var permit = Permit()
        guard !breakers.isEmpty else { return .success(permit) }
        for cause in Cause.allCases {
            let key = Key(destination: destination, cause: cause)
            switch breakers[key]?.admit(now: now) {
            case nil: break
            case .permit(let given): permit.permits.append((cause, given))
            case .rejected(let wait):
                // Leave that is not used goes back, or its place stays taken until it expires.
                for (held, given) in permit.permits {
                    breakers[Key(destination: destination, cause: held)]?.record(given, outcome: .neutral, now: now)
                }
                return .failure(Refusal(cause: cause, wait: wait))
            }
        }
        return .success(permit)
    }

    /// What `admit` refused with.
    package struct Refusal: Error, Sendable, Equatable {
        package let cause: Cause
        package let wait: Duration
    }

    /// Takes the end of a try into account. - Parameter failure: nil when it was answered.
    package func record(_ destination: String, _ permit: Permit, _ failure: TargetFailure?, now: MonotonicTime) {
        let cause: Cause? =
            switch failure?.kind {
            case .badCredential: .credential
            case .outOfQuota: .quota
            default: nil
            }
        guard cause != nil || !permit.permits.isEmpty else { return }
        breakers.withLock { breakers in
            for (held, given) in permit.permits {
                let outcome: CircuitBreaker.Outcome = held == cause ? .failure : held.isOver(failure?.kind) ? .success : .neutral
                breakers[Key(destination: destination, cause: held)]?.record(given, outcome: outcome, now: now)
            }
            guard let cause, !permit.permits.contains(where: { $0.cause == cause }) else { return }
            let key = Key(destination: destination, cause: cause)
            var breaker = breakers[key] ?? CircuitBreaker(cause.configuration, seed: .random(in: 0 ... .max))
            // Open already: another try of the same moment was refused too.
            if case .permit(let given) = breaker.admit(now: now) { breaker.record(given, outcome: .failure, now: now) }
            breakers[key] = breaker
        }
    }

    /// The provider has begun to answer: the secret is accepted and there is credit. What waited for a probe goes on at once, for
    /// a probe that streams may last for minutes.
    package func accepted(_ destination: String) {
        breakers.withLock { breakers in
            guard !breakers.isEmpty else { return }
            for cause in Cause.allCases {
                let key = Key(destination: destination, cause: cause)
                if breakers[key]?.state == .halfOpen { breakers[key] = nil }
            }
        }
    }

    /// Cooldowns by name (`openai` for the credential, `openai/quota`), in order of name.
    package func all() -> [(name: String, breaker: CircuitBreaker)] {
        breakers.withLock { breakers in
            breakers.map { (Self.name($0.key), $0.value) }.sorted { $0.0 < $1.0 }
        }
    }

    /// Forces a cooldown that exists. - Returns: false when there is none by that name.
    package func force(_ name: String, open: Bool?, now: MonotonicTime) -> Bool {
        breakers.withLock { breakers in
            guard let key = breakers.keys.first(where: { Self.name($0) == name }) else { return false }
            breakers[key]?.force(open.map { $0 ? .open : .closed } ?? .automatic, now: now)
            return true
        }
    }

    private static func name(_ key: Key) -> String {
        key.cause == .credential ? key.destination : "\(key.destination)/\(key.cause.rawValue)"
    }
}
