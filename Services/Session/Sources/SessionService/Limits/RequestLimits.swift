import BulkheadCore
import BulkheadResilience
import Synchronization

/// Whose requests are counted together.
package enum LimitSubject: Hashable, Sendable {
    /// One key with a limit of its own.
    case key(String)
    /// One user of a tenant, over all keys.
    case user(tenant: String, user: String)
    /// Everybody of a tenant.
    case tenant(String)
}

/// How a request stands against its limits.
package struct LimitDecision: Sendable, Equatable {
    /// Whether the request may run.
    package var isAdmitted: Bool
    /// Requests per minute of the tightest limit; 0: there is none.
    package var limit: Int
    /// Requests it still admits at once.
    package var remaining: Int
    /// Until it is whole again.
    package var reset: Duration
    /// Until the next request would be admitted; zero when this one was.
    package var retryAfter: Duration
}

/// Request rates, kept in this process. A request is held against all its limits in one step: refused by one, it costs
/// nothing at the others.
package final class RequestLimits: Sendable {
    /// Subjects remembered. Beyond it those unused for longest start anew with a full allowance; a limit of the tenant still
    /// holds them together.
    static let capacity = 200_000

    private let entries = Mutex(RecentMap<LimitSubject, RateWindow>(capacity: RequestLimits.capacity))

    /// No request has been seen.
    package init() {}

    /// Holds one request against `limits` (subject and requests per minute).
    /// - Parameter count: false only looks.
    package func admit(_ limits: [(subject: LimitSubject, perMinute: Int)], count: Bool, now: MonotonicTime) -> LimitDecision {
        guard !limits.isEmpty else {
            return LimitDecision(isAdmitted: true, limit: 0, remaining: 0, reset: .zero, retryAfter: .zero)
        }
        return entries.withLock { entries in
            var taken: [RateWindow] = []
            var wait: Duration?
            for (subject, perMinute) in limits {
                var entry = RateWindow(entries[subject], perMinute, now)
                if count, let refused = entry.bucket.take(now: now) { wait = max(wait ?? .zero, refused) }
                taken.append(entry)
            }
            if let wait {
                let untouched = limits.map { RateWindow(entries[$0.subject], $0.perMinute, now) }
                return RateWindow.decision(untouched, retryAfter: wait, now)
            }
            if count {
                for (limit, entry) in zip(limits, taken) { entries[limit.subject] = entry }
            }
            return RateWindow.decision(taken, retryAfter: nil, now)
        }
    }

    /// Subjects held in memory.
    package var count: Int { entries.withLock { $0.count } }
}
