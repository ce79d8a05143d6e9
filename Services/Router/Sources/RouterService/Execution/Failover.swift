import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import Glibc
import NIOCore

/// When a request is over, and whose wish that is.
package struct RequestDeadline: Sendable, Equatable {
    package let time: MonotonicTime
    /// The route's own limit; otherwise the caller gave less time, and running out of it says nothing about a provider.
    package let isRoutes: Bool

    /// The nearer of the route's total and what the caller's deadline leaves when there must be time to tell it the end.
    package init(caller: MonotonicTime, total: Duration, now: MonotonicTime) {
        let left = DeadlineBudget(deadline: caller).child(now: now) ?? now
        isRoutes = now + total <= left
        time = min(left, now + total)
    }
}

/// One try at one target.
package struct Try: Sendable {
    package let route: Route
    package let target: Target
    /// This try's number over all targets, from 1.
    package let number: Int
    /// When the whole request is over.
    package let deadline: RequestDeadline
    /// Services that were missing on the way here.
    package let degraded: [String]
}

/// How one try ended.
package enum TryOutcome<Value: Sendable>: Sendable {
    case answered(Value)
    /// Nothing reached the caller: something else may be tried.
    case failed(TargetFailure)
    /// Part of the answer reached the caller: nothing else may be tried.
    case brokenOff(CallError, CircuitBreaker.Outcome)
}

/// No target gave an answer.
package struct AllFailed: Error, Sendable {
    /// What to tell the caller.
    package let failure: TargetFailure
    /// Upstream tries made.
    package let tries: Int
    /// What was missing: `credentials`, or the providers that failed.
    package let missing: [String]
}

/// Tries the targets of a route in order until one answers, within one deadline and one budget of tries.
package struct Failover: Sendable {
    package let breakers: TargetBreakers
    package let metrics: RouterMetrics
    package let eventLoop: any EventLoop

    package init(breakers: TargetBreakers, metrics: RouterMetrics, eventLoop: any EventLoop) {
        self.breakers = breakers
        self.metrics = metrics
        self.eventLoop = eventLoop
    }

    /// Longest Retry-After while breakers are open.
    package static let longestBreakerWait = Duration.seconds(60)

    /// - Throws: `AllFailed`; `CallError` when a try broke off after its first event.
    package func run<Value: Sendable>(
        _ route: Route, deadline: RequestDeadline, clientRetries: Int, _ attempt: (Try) async -> TryOutcome<Value>
    ) async throws -> Value {
        let policy = RetryPolicy(route.retry, targets: route.targets.count, clientRetries: clientRetries)
        var progress = Progress()
        for (index, target) in order(route).enumerated() {
            if index > 0 { metrics.fallbacks.add() }
            if let value = try await runTarget(target, route, policy, deadline, &progress, attempt) { return value }
            if progress.isOver { break }
        }
        throw progress.failed
    }

    /// What all targets so far came to.
    private struct Progress {
        var tries = 0
        var failure: TargetFailure?
        /// The shortest wait of the breakers that refused.
        var breakerWait: Duration?
        var missing: [String] = []
        var isOver = false

        var degraded: [String] { missing.contains("credentials") ? ["credentials"] : [] }

        mutating func note(_ failure: TargetFailure, _ target: Target) {
            let name = failure.kind == .credentials ? "credentials" : target.provider
            if !missing.contains(name) { missing.append(name) }
            // What a target cannot do is the least useful thing to say when another one failed for real.
            if failure.kind != .unsupported || self.failure == nil { self.failure = failure }
        }

        var failed: AllFailed {
            if let failure { return AllFailed(failure: failure, tries: tries, missing: missing) }
            let wait = min(breakerWait ?? .seconds(1), Failover.longestBreakerWait)
            let error = CallError(
                .unavailable, reason: "breaker_open",
                message: "Every provider of this model failed repeatedly and is left alone for a while: try again in "
                    + "\(max(1, Int((wait.milliseconds / 1000).rounded(.up)))) s.", retryAfter: wait)
            return AllFailed(failure: TargetFailure(.transient, error), tries: tries, missing: missing)
        }
    }

    private func runTarget<Value: Sendable>(
        _ target: Target, _ route: Route, _ policy: RetryPolicy, _ deadline: RequestDeadline, _ progress: inout Progress,
        _ attempt: (Try) async -> TryOutcome<Value>
    ) async throws -> Value? {
        var triesOfTarget = 0
        while true {
            let permit: CircuitBreaker.Permit
            switch breakers.admit(target, now: .now()) {
            case .permit(let given): permit = given
            case .rejected(let wait):
                progress.breakerWait = min(progress.breakerWait ?? wait, wait)
                if !progress.missing.contains(target.provider) { progress.missing.append(target.provider) }
                return nil
            }
            triesOfTarget += 1
            progress.tries += 1
            let one = Try(route: route, target: target, number: progress.tries, deadline: deadline, degraded: progress.degraded)
            let started = MonotonicTime.now()
            let outcome = await attempt(one)
            let now = MonotonicTime.now()
            metrics.attempt(target, outcome, took: now - started)
            switch outcome {
            case .answered(let value):
                breakers.record(target, permit, .success, now: now)
                return value
            case .brokenOff(let error, let verdict):
                breakers.record(target, permit, verdict, now: now)
                throw error
            case .failed(let failure):
                breakers.record(target, permit, failure.outcome, now: now)
                if failure.kind == .credentials || failure.kind == .unsupported { progress.tries -= 1 }
                progress.note(failure, target)
                let step = policy.step(
                    after: failure, tries: (triesOfTarget, progress.tries), now: now, deadline: deadline.time,
                    jitter: .random(in: 0 ..< 1))
                guard case .again(let wait) = step else {
                    progress.isOver = step == .giveUp || !route.fallbacks.contains(.target)
                    return nil
                }
                metrics.retries.add()
                try await eventLoop.sleep(wait)
            }
        }
    }

    /// The targets in the order they are tried. Weighted: a random order in which a target comes first as often as its share.
    private func order(_ route: Route) -> [Target] {
        guard route.strategy == .weighted, route.targets.count > 1 else { return route.targets }
        // Source: Efraimidis, Spirakis, "Weighted random sampling with a reservoir", 2006.
        return route.targets.map { (target: $0, key: pow(Double.random(in: 0 ..< 1), 1 / Double($0.weight))) }
            .sorted { $0.key > $1.key }.map(\.target)
    }
}
