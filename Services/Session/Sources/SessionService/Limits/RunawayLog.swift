import Logging
import Synchronization

/// Says once in an episode that a key makes the same call over and over.
package final class RunawayLog: Sendable {
    private let logger: Logger
    /// Until when an episode lasts, in milliseconds since 1970; a refusal within it prolongs it.
    private let episodes = Mutex(RecentMap<LikenessSubject, Int64>(capacity: 10_000))

    package init(logger: Logger = Logger(label: "session", factory: { _ in SwiftLogNoOpLogHandler() })) {
        self.logger = logger
    }

    func note(_ question: LimitQuestion, _ metrics: SessionMetrics, _ now: Moment) {
        metrics.refusedRunaway()
        for rule in question.rules {
            guard case .runaway(let subject, let window) = rule.kind else { continue }
            let isNew = episodes.withLock { episodes in
                let ended = episodes[subject] ?? .min
                episodes[subject] = now.unixMilliseconds + window
                return ended <= now.unixMilliseconds
            }
            guard isNew else { continue }
            logger.warning(
                "a key makes nearly the same call over and over; further ones are refused",
                metadata: ["key": "\(subject.key)", "tenant": "\(question.tenant)", "calls": "\(rule.most)"])
        }
    }
}
