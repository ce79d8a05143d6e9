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

    private struct Entry: Sendable {
        var perMinute: Int
        var bucket: TokenBucket
    }

    private let entries = Mutex(RecentMap<LimitSubject, Entry>(capacity: RequestLimits.capacity))

    /// No request has been seen.
    package init() {}

    /// Holds one request against `limits` (subject and requests per minute).
    /// - Parameter count: false only looks.
    package func admit(_ limits: [(subject: LimitSubject, perMinute: Int)], count: Bool, now: MonotonicTime) -> LimitDecision {
        guard !limits.isEmpty else {
            return LimitDecision(isAdmitted: true, limit: 0, remaining: 0, reset: .zero, retryAfter: .zero)
        }
        return entries.withLock { entries in
            var taken: [Entry] = []
            var wait: Duration?
            for (subject, perMinute) in limits {
                var entry = Self.entry(entries[subject], perMinute, now)
                if count, let refused = entry.bucket.take(now: now) { wait = max(wait ?? .zero, refused) }
                taken.append(entry)
            }
            if let wait {
                let untouched = limits.map { Self.entry(entries[$0.subject], $0.perMinute, now) }
                return Self.decision(untouched, retryAfter: wait, now)
            }
            if count {
                for (limit, entry) in zip(limits, taken) { entries[limit.subject] = entry }
            }
            return Self.decision(taken, retryAfter: nil, now)
        }
    }

    /// Subjects held in memory.
    package var count: Int { entries.withLock { $0.count } }

    /// The entry as it is; a new one when there is none, or when the limit was changed.
    private static func entry(_ known: Entry?, _ perMinute: Int, _ now: MonotonicTime) -> Entry {
        if let known, known.perMinute == perMinute { return known }
        return Entry(
            perMinute: perMinute, bucket: TokenBucket(rate: Double(perMinute) / 60, burst: Double(perMinute), now: now))
    }

    /// Shows the limit that has the fewest requests left.
    private static func decision(_ entries: [Entry], retryAfter: Duration?, _ now: MonotonicTime) -> LimitDecision {
        let left = entries.map { (entry: $0, available: $0.bucket.available(now: now)) }
        guard let tightest = left.min(by: { $0.available < $1.available }) else {
            preconditionFailure("bug: a decision without limits")
        }
        let perMinute = tightest.entry.perMinute
        let missing = max(0, Double(perMinute) - tightest.available)
        return LimitDecision(
            isAdmitted: retryAfter == nil, limit: perMinute,
            // A millionth of a request forgives the rounding of whole nanoseconds.
            remaining: max(0, Int(tightest.available + 0.000_001)),
            reset: .nanoseconds(Int64(missing * 60e9 / Double(perMinute))), retryAfter: retryAfter ?? .zero)
    }
}
