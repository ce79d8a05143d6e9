import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import Glibc

/// The ways to an answer, in the order a route has them: its targets, then what it falls back to.
package final class AnswerWays {
    /// An answer whose time in the cache is over; nil when there is none.
    package typealias Stale = () async -> [ChatAPI.ChatEvent]?

    private let targets: [Target]
    private let plan: Failover.Plan
    private let failover: Failover
    private let metrics: RouterMetrics
    private let attempt: ChatAttempt
    private let stale: Stale
    private let progress = TryProgress()

    private var route: Route { plan.route }
    package var relay: AnswerRelay { attempt.relay }

    /// - Parameter targets: in the order in which they are tried.
    package init(
        targets: [Target], plan: Failover.Plan, failover: Failover, metrics: RouterMetrics, attempt: ChatAttempt,
        stale: @escaping Stale
    ) {
        self.targets = targets
        self.plan = plan
        self.failover = failover
        self.metrics = metrics
        self.attempt = attempt
        self.stale = stale
    }

    /// - Returns: whether a target answered; false when the answer was the configured one.
    /// - Throws: `CallError` with the failure's detail when there is no answer, or it broke off.
    package func run(_ replies: TypedWriter<RouterAPI.CompleteReply>) async throws -> Bool {
        do {
            // Where other targets are not the first thing to fall back to, they wait for their turn.
            let asked = route.fallbacks.first == .target ? targets.endIndex : min(1, targets.endIndex)
            if try await ask(targets[..<asked]) { return true }
            for fallback in route.fallbacks {
                switch fallback {
                case .target:
                    if try await ask(targets[asked...]) { return true }
                case .staleCache:
                    if try await tellStale(replies) { return false }
                case .answer:
                    guard let events = configuredAnswer() else { break }
                    try await replies.write(.init(events: events))
                    return false
                }
            }
        } catch {
            throw told(error)
        }
        throw failed()
    }

    private func ask(_ targets: ArraySlice<Target>) async throws -> Bool {
        try await failover.run(plan, targets, progress, attempt.run) != nil
    }

    @inline(never)
    private func configuredAnswer() -> [ChatAPI.ChatEvent]? {
        guard !relay.isShown, let events = FallbackAnswer.events(route, progress.allFailed) else { return nil }
        metrics.fallbackAnswers.add()
        return events
    }

    /// Gives an answer again whose time is over, and says so. - Returns: false when there is none.
    @inline(never)
    private func tellStale(_ replies: TypedWriter<RouterAPI.CompleteReply>) async throws -> Bool {
        let all = progress.allFailed
        guard !relay.isShown, !all.failure.isCallers, var events = await stale() else { return false }
        if var served = events.first?.served {
            served.degraded += all.missing.filter { !served.degraded.contains($0) }
            served.attempts = all.tries
            events[0].served = served
        }
        for batch in CachedAnswer.batches(events) { try await replies.write(batch) }
        return true
    }

    /// What the caller is told when every way has failed.
    @inline(never)
    private func failed() -> CallError {
        let all = progress.allFailed
        guard relay.isShown, all.failure.kind != .cancelled, let target = all.target else {
            return detailed(all.failure.error, all, isFinal: all.isFinal)
        }
        return detailed(TargetFailure.brokenStream(target, all.failure.error.message), all, isFinal: false)
    }

    @inline(never)
    private func told(_ error: any Error) -> any Error {
        guard let error = error as? CallError else { return error }
        return detailed(error, progress.allFailed, isFinal: false)
    }

    private func detailed(_ error: CallError, _ all: AllFailed, isFinal: Bool) -> CallError {
        all.told(error, isFinal: isFinal, wasted: relay.spent.wasted)
    }
}

/// The answer a route gives when nobody else does.
package enum FallbackAnswer {
    /// nil when the route has none, or when the failure is the caller's own.
    package static func events(_ route: Route, _ all: AllFailed) -> [ChatAPI.ChatEvent]? {
        guard !all.failure.isCallers, route.fallbacks.contains(.answer), let text = route.fallbackAnswer else { return nil }
        let served = ChatAPI.Served(
            provider: "bulkhead", model: route.alias, attempts: all.tries, cache: .off, degraded: all.missing, created: time(nil))
        return [
            .init(kind: .start, served: served), .init(kind: .text, text: text), .init(kind: .finish, finish: .stop),
            .init(kind: .usage, usage: ChatAPI.Usage(costNanousd: 0)),
        ]
    }
}
