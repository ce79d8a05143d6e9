import BulkheadAPI
import BulkheadCore
import BulkheadResilience

/// A key's limits while session is away: as session left them, continued here.
struct RememberedRates: Sendable {
    /// Requests and tokens a minute; nil: no such limit.
    private(set) var requests: TokenBucket?
    private var tokens: TokenBucket?
    private let mostTokens: Double
    /// Requests at once; nil: no such limit. Those that session admitted itself are not among them.
    private let places: Int?
    private var taken = 0
    /// How soon a place may be free again: nobody knows.
    private static let placeWait = Duration.seconds(1)

    /// - Parameter seenAt: when session told of the limits.
    init(_ verdict: SessionAPI.AdmitReply, seenAt: MonotonicTime) {
        requests = Self.bucket(verdict.requests, seenAt: seenAt)
        tokens = Self.bucket(verdict.tokens, seenAt: seenAt)
        mostTokens = Double(verdict.tokens?.limit ?? 0)
        places = verdict.concurrency.flatMap { $0.limit > 0 ? $0.limit : nil }
    }

    /// Takes a place, `weight` requests and `tokens`: all or nothing.
    /// - Returns: nil: taken; else when to come again.
    mutating func take(weight: Int, tokens cost: Int, now: MonotonicTime) -> Duration? {
        if let places, taken >= places { return Self.placeWait }
        let weight = Double(max(1, weight))
        if let wait = requests?.take(weight, now: now) { return wait }
        if let wait = tokens?.take(min(Double(max(0, cost)), mostTokens), now: now) {
            requests?.giveBack(weight, now: now)
            return wait
        }
        taken += 1
        return nil
    }

    /// A request has ended: its place is free. - Parameter unused: tokens it did not use; below zero: used beyond what was taken.
    mutating func end(unused: Int, now: MonotonicTime) {
        taken = max(0, taken - 1)
        if unused > 0 {
            tokens?.giveBack(min(Double(unused), mostTokens), now: now)
        } else {
            tokens?.charge(-Double(unused), now: now)
        }
    }

    /// What had remained then, refilled at its rate since.
    private static func bucket(_ limit: SessionAPI.RateLimit?, seenAt: MonotonicTime) -> TokenBucket? {
        guard let limit, limit.limit > 0 else { return nil }
        var bucket = TokenBucket(rate: Double(limit.limit) / 60, burst: Double(limit.limit), now: seenAt)
        let spent = limit.limit - min(max(0, limit.remaining), limit.limit)
        if spent > 0 { _ = bucket.take(Double(spent), now: seenAt) }
        return bucket
    }
}
