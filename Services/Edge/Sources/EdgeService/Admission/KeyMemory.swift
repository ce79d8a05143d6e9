import BulkheadAPI
import BulkheadCore
import BulkheadResilience

/// The last good word of session on each key, for the time session is away. Bounded in number and age: a key that was not
/// seen lately is not known, and a key that session refused is forgotten at once.
package struct KeyMemory: Sendable {
    /// What is known of one key.
    struct Entry: Sendable {
        /// The admission without what belonged to its request alone.
        let verdict: SessionAPI.AdmitReply
        let seenAt: MonotonicTime
        /// The key's request limit, continued here while session is away; nil until then, and for keys without a limit.
        var limit: TokenBucket?
        /// Session let the key name its user: the user is that of each request, not of the key.
        let assertsUsers: Bool
        /// Requests served on memory alone since `seenAt`.
        var servedLocally = 0

        init(verdict: SessionAPI.AdmitReply, seenAt: MonotonicTime, assertsUsers: Bool) {
            self.verdict = verdict
            self.seenAt = seenAt
            self.assertsUsers = assertsUsers
        }
    }

    /// What a key that is not verified may do.
    package enum Answer: Sendable, Equatable {
        /// By session's last word.
        case admitted(SessionAPI.AdmitReply, assertsUsers: Bool)
        /// The key's limit is reached.
        case limited(retryAfter: Duration)
        /// Not seen lately.
        case unknown
    }

    /// How long a word of session counts.
    package static let age = Duration.seconds(900)
    private let capacity: Int
    private var entries: [KeyDigest: Entry] = [:]
    private var digests: [String: KeyDigest] = [:]

    /// - Parameter capacity: keys remembered; beyond it the tenth seen longest ago are forgotten.
    package init(capacity: Int = 10_000) { self.capacity = capacity }

    /// Keys remembered.
    package var count: Int { entries.count }

    /// Remembers an admission.
    /// - Parameter assertedUser: the user the request named; session honoured it when the reply has the same one.
    package mutating func remember(
        _ digest: KeyDigest, _ reply: SessionAPI.AdmitReply, assertedUser: String? = nil, now: MonotonicTime
    ) {
        if entries.count >= capacity, entries[digest] == nil { makeRoom(now: now) }
        var verdict = reply
        verdict.admissionID = ""
        verdict.stored = nil
        let assertsUsers = assertedUser.map { !$0.isEmpty && $0 == reply.user } ?? false
        if assertsUsers { verdict.user = "" }
        let known = entries.updateValue(Entry(verdict: verdict, seenAt: now, assertsUsers: assertsUsers), forKey: digest)
        if known?.verdict.keyID != reply.keyID { digests[reply.keyID] = digest }
    }

    /// Forgets a key that session refused.
    package mutating func forget(_ digest: KeyDigest) {
        guard let entry = entries.removeValue(forKey: digest) else { return }
        if digests[entry.verdict.keyID] == digest { digests[entry.verdict.keyID] = nil }
    }

    /// Whether the key was seen lately.
    package func knows(_ digest: KeyDigest, now: MonotonicTime) -> Bool {
        entries[digest].map { now - $0.seenAt <= Self.age } ?? false
    }

    /// Decides for a key without session.
    /// - Parameter counts: whether the request counts against the key's limit.
    package mutating func admit(_ digest: KeyDigest, counts: Bool, now: MonotonicTime) -> Answer {
        guard var entry = entries[digest], now - entry.seenAt <= Self.age else {
            forget(digest)
            return .unknown
        }
        if counts {
            if entry.limit == nil { entry.limit = Self.bucket(entry.verdict.requests, seenAt: entry.seenAt) }
            let wait = entry.limit?.take(now: now)
            if wait == nil { entry.servedLocally += 1 }
            entries[digest] = entry
            if let wait { return .limited(retryAfter: wait) }
        }
        return .admitted(entry.verdict, assertsUsers: entry.assertsUsers)
    }

    /// What is known of a key by its id, for the verb `limits`.
    func entry(keyID: String) -> Entry? { digests[keyID].flatMap { entries[$0] } }

    /// The limit as session left it: what had remained then, refilled at its rate since.
    private static func bucket(_ limit: SessionAPI.RateLimit?, seenAt: MonotonicTime) -> TokenBucket? {
        guard let limit, limit.limit > 0 else { return nil }
        var bucket = TokenBucket(rate: Double(limit.limit) / 60, burst: Double(limit.limit), now: seenAt)
        let spent = limit.limit - min(max(0, limit.remaining), limit.limit)
        if spent > 0 { _ = bucket.take(Double(spent), now: seenAt) }
        return bucket
    }

    private mutating func makeRoom(now: MonotonicTime) {
        for (digest, entry) in entries where now - entry.seenAt > Self.age { forget(digest) }
        guard entries.count >= capacity else { return }
        let oldest = entries.sorted { $0.value.seenAt < $1.value.seenAt }.prefix(max(1, capacity / 10))
        for (digest, _) in oldest { forget(digest) }
    }
}
