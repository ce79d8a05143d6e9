import BulkheadCore
import BulkheadResilience
import Synchronization

/// One circuit breaker per target, made when the target is first used.
package final class TargetBreakers: Sendable {
    private struct State {
        var configuration: CircuitBreaker.Configuration
        var breakers: [String: CircuitBreaker] = [:]

        func name(of target: Target) -> String {
            let label = target.label
            return breakers[label] != nil || breakers.count < capacity ? label : shared
        }

        mutating func breaker<Value>(of target: Target, _ body: (inout CircuitBreaker) -> Value) -> Value {
            breaker(called: name(of: target), body)
        }

        mutating func breaker<Value>(called name: String, _ body: (inout CircuitBreaker) -> Value) -> Value {
            let shape = configuration
            return body(&breakers[name, default: CircuitBreaker(shape, seed: .random(in: 0 ... .max))])
        }
    }

    /// Providers that serve all of their names make targets of what clients send; beyond this many they share one breaker.
    package static let capacity = 4096
    private static let shared = "other targets"

    private let state: Mutex<State>

    package init(_ configuration: CircuitBreaker.Configuration) { state = Mutex(State(configuration: configuration)) }

    /// Another shape of breakers begins with all of them closed; the same shape keeps what is known.
    package func reconfigure(_ configuration: CircuitBreaker.Configuration) {
        state.withLock { state in
            if state.configuration != configuration { state = State(configuration: configuration) }
        }
    }

    /// May a try be made? A permit must be recorded once.
    package func admit(_ target: Target, now: MonotonicTime) -> CircuitBreaker.Admission {
        state.withLock { state in
            state.breaker(of: target) { $0.admit(now: now) }
        }
    }

    /// How long `admit` would refuse the target; changes nothing. nil: it would not.
    package func wait(_ target: Target, now: MonotonicTime) -> Duration? {
        guard var copy = state.withLock({ state in state.breakers[state.name(of: target)] }) else { return nil }
        guard case .rejected(let wait) = copy.admit(now: now) else { return nil }
        return wait
    }

    package func record(_ target: Target, _ permit: CircuitBreaker.Permit, _ outcome: CircuitBreaker.Outcome, now: MonotonicTime)
    {
        state.withLock { state in
            state.breaker(of: target) { $0.record(permit, outcome: outcome, now: now) }
        }
    }

    /// The state of a target's breaker, and when it lets the next probe through.
    package func look(_ target: Target) -> (state: CircuitBreaker.State, probe: MonotonicTime?) {
        state.withLock { state in
            let breaker = state.breakers[state.name(of: target)]
            return (breaker?.state ?? .closed, breaker?.probeTime)
        }
    }

    /// All breakers by target, in order of name.
    package func all() -> [(name: String, breaker: CircuitBreaker)] {
        state.withLock { state in state.breakers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
    }

    /// Forces the breaker of `label` (`provider/model`), made if it is not there yet.
    package func force(_ label: String, open: Bool?, now: MonotonicTime) {
        state.withLock { state in
            let override: CircuitBreaker.Override = open.map { $0 ? .open : .closed } ?? .automatic
            state.breaker(called: label) { $0.force(override, now: now) }
        }
    }
}
