import Synchronization

/// How often each target was tried since the process started, for the operator's verbs.
package final class TargetTallies: Sendable {
    package struct Tally: Sendable, Equatable {
        package var tries = 0
        package var failures = 0

        fileprivate mutating func add(failed: Bool) {
            tries += 1
            if failed { failures += 1 }
        }
    }

    private struct State {
        var providers: [String: Tally] = [:]
        /// By provider and model: no text has to be put together for a count.
        var targets: [String: [String: Tally]] = [:]
        var count = 0
    }

    /// Targets counted on their own: providers that serve all of their names make targets of what clients send.
    package static let capacity = 4096
    private let state = Mutex(State())

    package init() {}

    package func add(_ target: Target, failed: Bool) {
        state.withLock { state in
            state.providers[target.provider, default: Tally()].add(failed: failed)
            if state.targets[target.provider]?[target.model] == nil {
                guard state.count < Self.capacity else { return }
                state.count += 1
            }
            state.targets[target.provider, default: [:]][target.model, default: Tally()].add(failed: failed)
        }
    }

    package func of(_ target: Target) -> Tally {
        state.withLock { $0.targets[target.provider]?[target.model] ?? Tally() }
    }

    /// All targets of a provider together.
    package func ofProvider(_ name: String) -> Tally { state.withLock { $0.providers[name] ?? Tally() } }
}
