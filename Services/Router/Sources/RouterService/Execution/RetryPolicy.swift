import BulkheadCore
import BulkheadResilience

/// Decides what comes after a failed try. Pure: time and randomness come from outside.
package struct RetryPolicy: Sendable, Equatable {
    /// What to do next.
    package enum Step: Sendable, Equatable {
        /// The same target, after a wait.
        case again(after: Duration)
        case nextTarget
        /// The next target whose context is known to be larger.
        case largerContext
        /// The caller gets the error.
        case giveUp
    }

    /// Tries of one target, the first included.
    package let triesPerTarget: Int
    /// Tries over all targets.
    package let maxTries: Int
    private let base: Duration
    private let limit: Duration

    /// - Parameters:
    ///   - targets: how many the route has; every one of them may be tried at least once.
    ///   - clientRetries: how often the client's SDK has tried before. Its retries and ours must not multiply.
    package init(_ configuration: RetryConfiguration, targets: Int, clientRetries: Int) {
        let spent = max(0, clientRetries)
        triesPerTarget = max(1, configuration.triesPerTarget - spent)
        maxTries = spent == 0 ? configuration.maxTries : max(min(targets, configuration.maxTries), configuration.maxTries - spent)
        base = configuration.base
        limit = configuration.max
    }

    /// - Parameters:
    ///   - tries: tries made so far, of this target and in all.
    ///   - jitter: a random number in 0..<1.
    package func step(
        after failure: TargetFailure, tries: (ofTarget: Int, inAll: Int), now: MonotonicTime, deadline: MonotonicTime,
        jitter: Double
    ) -> Step {
        switch failure.kind {
        case .callersMistake, .outOfTime, .cancelled: return .giveUp
        case .tooLong: return tries.inAll < maxTries ? .largerContext : .giveUp
        // The same target, asked in another way: its tries are not used up by that.
        case .prefillRefused: return tries.inAll < maxTries ? .again(after: .zero) : .giveUp
        // These cost nothing upstream, so they use nothing up.
        case .unsupported, .credentials: return .nextTarget
        case .refused, .badCredential, .outOfQuota, .silent, .broken: return tries.inAll < maxTries ? .nextTarget : .giveUp
        case .transient: break
        }
        guard tries.inAll < maxTries else { return .giveUp }
        let wait = max(failure.error.retryAfter ?? .zero, backoff(tries.ofTarget, jitter))
        guard tries.ofTarget < triesPerTarget, wait <= limit, now + wait < deadline else { return .nextTarget }
        return .again(after: wait)
    }

    /// Full jitter: anywhere between nothing and `base · 2^(n-1)`, so that callers that failed together come back apart.
    private func backoff(_ triesOfTarget: Int, _ jitter: Double) -> Duration { longestWait(after: triesOfTarget) * jitter }

    /// The longest wait of one's own after so many tries of a target.
    package func longestWait(after triesOfTarget: Int) -> Duration {
        min(limit, base * Double(1 << min(max(0, triesOfTarget - 1), 20)))
    }

    /// Whether a target may be asked twice.
    package var asksAgain: Bool { triesPerTarget > 1 && maxTries > 1 }
}
