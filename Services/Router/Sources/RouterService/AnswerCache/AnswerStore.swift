import BulkheadAPI
import BulkheadCore

/// An answer as a store gives it back.
package struct KeptAnswer: Sendable, Equatable {
    /// START to USAGE, as they were served.
    package let events: [ChatAPI.ChatEvent]
    /// Its time is not over: it answers requests. Otherwise it only stands in for targets that all failed.
    package let isFresh: Bool

    package init(events: [ChatAPI.ChatEvent], isFresh: Bool) {
        self.events = events
        self.isFresh = isFresh
    }
}

/// How long an answer is kept.
package struct KeepingTime: Sendable, Equatable {
    /// How long it answers requests.
    package let fresh: Duration
    /// How long it stands in afterwards.
    package let stale: Duration

    /// Answers whose time is over stand in for this long.
    package static let staleFor = Duration.seconds(24 * 3600)
    /// How far apart times of answers kept together may lie: they must not all be asked for again at one moment.
    package static let spread = 0.1

    /// - Parameters:
    ///   - ttl: as configured.
    ///   - isForStale: the route may answer with one whose time is over.
    ///   - random: from 0 to 1.
    package init(ttl: Duration, isForStale: Bool, random: Double) {
        fresh = ttl * (1 - Self.spread + 2 * Self.spread * random)
        stale = isForStale ? Self.staleFor : .zero
    }
}

/// Why a store has no answer to the question whether it has one.
package enum StoreFailure: String, Error, Sendable, CaseIterable {
    /// It cannot be used now; nothing waited for it.
    case away
    /// It took too long.
    case slow
    /// It ended the conversation, or did not make sense.
    case broken
    /// It said no: out of memory, wrong rights.
    case refused
}

/// Where whole answers are kept by their key. Two of them exist, and one suite of tests for both.
package protocol AnswerStore: Sendable {
    /// `memory` or `redis`.
    var name: String { get }
    /// The answer, fresh or stale; nil when there is none, or what is there is damaged.
    /// - Throws: `StoreFailure`, within 50 ms.
    func find(_ key: CacheKey, now: MonotonicTime) async throws(StoreFailure) -> KeptAnswer?
    /// Keeps an answer, replacing an older one; not waited for. A later `find` of this process sees it.
    func keep(_ key: CacheKey, _ events: [ChatAPI.ChatEvent], _ time: KeepingTime, now: MonotonicTime)
    /// Forgets the answers of a tenant, or all. - Returns: how many there were. - Throws: `StoreFailure`.
    func purge(_ tenant: TenantDigest?) async throws(StoreFailure) -> Int
    /// Figures since the process started.
    var statistics: StoreStatistics { get }
}

/// What `cache stats` shows of a store.
package struct StoreStatistics: Codable, Sendable, Equatable {
    package var store: String
    /// Answers there; absent where only the server knows.
    package var entries: Int?
    /// Their memory, estimated.
    package var bytes: Int?
    package var hits = 0
    package var misses = 0
    package var stored = 0
    /// Answers that went because of a bound.
    package var evicted = 0
    /// Answers that went because their time was over.
    package var expired = 0
    /// Answers larger than one may be.
    package var tooLarge = 0
    /// Answers that were not what had been written.
    package var damaged = 0
    /// Failures by kind.
    package var failures: [String: Int] = [:]

    package init(store: String) { self.store = store }
}
