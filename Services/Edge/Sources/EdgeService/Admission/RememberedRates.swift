import BulkheadAPI
import BulkheadCore
import BulkheadResilience

/// The limits that are continued while session is away.
package enum RememberedLimit: Sendable, Equatable {
    /// Requests and tokens a minute, requests at once.
    case requests, tokens, concurrency
}

/// A key's limits while session is away: as session left them, continued here.
struct RememberedRates: Sendable {
    /// Requests and tokens a minute; nil: no such limit.
    private(set) var requests: TokenBucket?
    private var tokens: TokenBucket?
    private let mostTokens: Double
    /// Requests at once; nil: no such limit. Those that session admitted itself are not among them.
    private let places: Int?
    private var taken = 0
    /// Which limit refused, and when to come again.
    typealias Refusal = (limit: RememberedLimit, wait: Duration)
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
    /// - Returns: nil: taken.
    mutating func take(weight: Int, tokens cost: Int, now: MonotonicTime) -> Refusal? {
        if let places, taken >= places { return (.concurrency, Self.placeWait) }
        let weight = Double(max(1, weight))
        if let wait = requests?.take(weight, now: now) { return (.requests, wait) }
        if let wait = tokens?.take(min(Double(max(0, cost)), mostTokens), now: now) {
            requests?.giveBack(weight, now: now)
            return (.tokens, wait)
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

    /// Tells what is left now. - Parameter reply: with the limits as session told them.
    func show(_ reply: inout SessionAPI.AdmitReply, now: MonotonicTime) {
        reply.requests = reply.requests.map { Self.standing($0, requests, now) }
        reply.tokens = reply.tokens.map { Self.standing($0, tokens, now) }
        guard let places else { return }
        reply.concurrency?.remaining = places - taken
        reply.concurrency?.retryAfterMS = 0
    }

    private static func standing(
        _ limit: SessionAPI.RateLimit, _ bucket: TokenBucket?, _ now: MonotonicTime
    ) -> SessionAPI.RateLimit {
        var limit = limit
        limit.retryAfterMS = 0
        guard let bucket else { return limit }
        let left = bucket.available(now: now)
        // What is whole but for the last bit of a Double counts as whole.
        limit.remaining = min(limit.limit, max(0, Int(left + 1e-6)))
        limit.resetMS = Int((max(0, Double(limit.limit) - left - 1e-6) * 60_000 / Double(limit.limit)).rounded(.up))
        return limit
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
