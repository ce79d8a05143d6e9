import BulkheadCore
import BulkheadResilience
import BulkheadServiceKit

/// One line of `bulkhead-edge routes`.
package struct RouteRow: Codable, Sendable {
    /// E.g. `POST` or `GET, HEAD`.
    package var methods: String
    package var path: String
    package var what: String
}

/// The argument of `bulkhead-edge limits`.
package struct LimitsQuery: Codable, Sendable {
    /// The id of a key, as `bulkhead-session keys list` shows it; not the key.
    package var key: String

    /// A question about a key.
    package init(key: String) { self.key = key }
}

/// What edge remembers of a key for the time session is away.
package struct LimitsReport: Codable, Sendable {
    package var key: String
    package var tenant: String
    /// Seconds since session last admitted a request of the key.
    package var seenSecondsAgo: Double
    /// Requests per minute; 0: unlimited.
    package var requestsPerMinute: Int
    /// Requests that would be admitted now, by what edge knows.
    package var remaining: Int
    /// Requests served since then without session.
    package var servedWithoutSession: Int
    /// The budget with the least left, in nano-dollars, and what of it may be spent without session; nil: there is none.
    package var budgetNanousd: Int?
    package var budgetLeftNanousd: Int?
    /// Session tells of changes of keys as they happen.
    package var isWatched: Bool
}

enum EdgeVerbs {
    static func all(_ admission: Admission) -> [AdminVerb] {
        [
            AdminVerb("routes") { (_: NoValue) in
                Endpoint.allCases.map { RouteRow(methods: $0.allow, path: $0.rawValue, what: $0.summary) }
            },
            AdminVerb("limits") { (query: LimitsQuery) in try limits(query.key, admission) },
        ]
    }

    private static func limits(_ key: String, _ admission: Admission) throws -> LimitsReport {
        guard let (entry, budget) = admission.entry(keyID: key) else {
            throw CallError(
                .notFound,
                message: "edge has seen no request of a key with this id in the last 15 minutes; keys are named by their id, "
                    + "which `bulkhead-session keys list` shows")
        }
        let now = MonotonicTime.now()
        let limit = entry.verdict.requests
        return LimitsReport(
            key: key, tenant: entry.verdict.tenant, seenSecondsAgo: (now - entry.seenAt).milliseconds / 1000,
            requestsPerMinute: limit?.limit ?? 0,
            remaining: entry.rates?.requests.map { Int($0.available(now: now)) } ?? limit?.remaining ?? 0,
            servedWithoutSession: entry.servedLocally, budgetNanousd: budget?.budget.limit,
            budgetLeftNanousd: budget.map { max(0, $0.left) }, isWatched: admission.isWatched)
    }
}
