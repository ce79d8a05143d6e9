import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import Glibc

/// The ways to an answer, in the order a route has them: its targets, then what it falls back to.
package struct AnswerWays {
    package let route: Route
    package let plan: Failover.Plan
    package let failover: Failover
    package let metrics: RouterMetrics
    package let attempt: ChatAttempt
    /// An answer whose time in the cache is over; nil when there is none.
    package typealias Stale = () async -> [ChatAPI.ChatEvent]?
    package let stale: Stale

    private var relay: AnswerRelay { attempt.relay }

    /// - Returns: whether a target answered; false when the answer was the configured one.
    /// - Throws: `CallError` with the failure's detail when there is no answer, or it broke off.
    package func run(_ targets: [Target], _ replies: TypedWriter<RouterAPI.CompleteReply>) async throws -> Bool {
        var progress = TryProgress()
        do {
            // Where other targets are not the first thing to fall back to, they wait for their turn.
            let asked = route.fallbacks.first == .target ? targets[...] : targets.prefix(1)
            if try await failover.run(plan, asked, &progress, attempt.run) != nil { return true }
            for fallback in route.fallbacks {
                switch fallback {
                case .target:
                    if try await failover.run(plan, targets[asked.endIndex...], &progress, attempt.run) != nil { return true }
                case .staleCache:
                    guard try await tellStale(progress.allFailed, replies) else { break }
                    return false
                case .answer:
                    guard !relay.isShown, let events = FallbackAnswer.events(route, progress.allFailed) else { break }
                    metrics.fallbackAnswers.add()
                    try await replies.write(.init(events: events))
                    return false
                }
            }
        } catch let error as CallError {
            throw detailed(error, progress.allFailed, isFinal: false)
        }
        throw failed(progress.allFailed)
    }

    /// Gives an answer again whose time is over, and says so. - Returns: false when there is none.
    private func tellStale(_ all: AllFailed, _ replies: TypedWriter<RouterAPI.CompleteReply>) async throws -> Bool {
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
    private func failed(_ all: AllFailed) -> CallError {
        guard relay.isShown, all.failure.kind != .cancelled, let target = all.target else {
            return detailed(all.failure.error, all, isFinal: all.isFinal)
        }
        return detailed(TargetFailure.brokenStream(target, all.failure.error.message), all, isFinal: false)
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
