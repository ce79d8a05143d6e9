import BulkheadCore
import BulkheadResilience
import Synchronization

// States of a reservation: held (tokens are taken from the buckets, places from the counts) → settled (the tokens that were
// used are charged instead, the places are free), or abandoned: its lease is over, or edge was started anew. The places of an
// abandoned one are free, its tokens stay charged: they may have been used, and come back within a minute or so anyway.

/// Tokens per minute and requests at once. What a request may cost is reserved before it runs, and settled with what it did
/// cost: parallel requests cannot all be admitted on the same remainder.
package final class Reservations: Sendable {
    /// A limit and whose it is.
    package typealias Limit = (subject: LimitSubject, most: Int)

    /// What a request reserves.
    package struct Wish: Sendable {
        /// The admission's name.
        package var admission: String
        /// Tokens it may cost; 0: none are reserved.
        package var tokens: Int
        /// The part of them that nobody declared: reserved as far as there is something left, and no reason to refuse.
        package var assumed: Int
        /// The run of edge it came from; 0: not told.
        package var run: Int64
        /// When it is abandoned at the latest.
        package var lease: Duration

        package init(
            admission: String, tokens: Int, assumed: Int = 0, run: Int64 = 0, lease: Duration = Reservations.longestLease
        ) {
            self.admission = admission
            self.tokens = tokens
            self.assumed = assumed
            self.run = run
            self.lease = lease
        }
    }

    /// How a request stands against its limits.
    package struct Decision: Sendable, Equatable {
        /// nil: there is no such limit.
        package var tokens: LimitDecision?
        /// nil: there is no such limit.
        package var concurrency: LimitDecision?

        package var isAdmitted: Bool { (tokens?.isAdmitted ?? true) && (concurrency?.isAdmitted ?? true) }
    }

    private struct TokenEntry: Sendable {
        var window: RateWindow
        /// How far requests of this subject exceed their estimates; later ones reserve so much more.
        var excess = 1.0

        /// Follows a request that cost more than estimated at once, and less so slowly.
        mutating func learn(_ ratio: Double) {
            excess = ratio > excess ? min(ratio, Reservations.mostExcess) : max(1, excess * 0.9 + ratio * 0.1)
        }
    }

    private struct Held: Sendable {
        var tokens: [(limit: Limit, reserved: Double)]
        var places: [LimitSubject]
        var estimate: Int
        var run: Int64
        var expires: MonotonicTime
    }

    private struct State {
        var tokens = RecentMap<LimitSubject, TokenEntry>(capacity: RequestLimits.capacity)
        var places: [LimitSubject: Int] = [:]
        var held: [String: Held] = [:]
        var run: Int64 = 0
        var sweptAt: MonotonicTime?
    }

    /// Without word from edge a reservation is held for so long.
    package static let longestLease = Duration.seconds(900)
    /// Reservations at once; edge runs fewer requests than that.
    package static let capacity = 131_072
    private static let sweepEvery = Duration.seconds(5)
    /// What a refusal says when nobody knows when a place will be free.
    private static let placeWait = Duration.seconds(1)
    private static let mostExcess = 16.0

    private let state = Mutex(State())

    /// Nothing is reserved.
    package init() {}

    /// Reservations held.
    package var count: Int { state.withLock { $0.held.count } }

    /// Requests of a subject that run now.
    package func running(_ subject: LimitSubject) -> Int { state.withLock { $0.places[subject] ?? 0 } }

    /// Reserves what `wish` asks for, all or nothing. A limit below the estimate admits the request when nothing of it is
    /// spent: a small limit admits small requests, and large ones one at a time.
    package func reserve(_ wish: Wish, tokens: [Limit], places: [Limit], now: MonotonicTime) -> Decision {
        guard !tokens.isEmpty || !places.isEmpty else { return Decision() }
        return state.withLock { state in
            Self.sweep(&state, run: wish.run, now)
            var decision = Decision(concurrency: Self.place(state, places))
            guard decision.isAdmitted else {
                decision.tokens = Self.look(state, tokens, now)
                return decision
            }
            let (entries, reserved, wait) = Self.take(state, wish, tokens, now)
            guard wait == nil else {
                decision.tokens = Self.look(state, tokens, now, retryAfter: wait)
                return decision
            }
            if !tokens.isEmpty { decision.tokens = RateWindow.decision(entries.map(\.window), retryAfter: nil, now) }
            for (limit, entry) in zip(tokens, entries) { state.tokens[limit.subject] = entry }
            for place in places { state.places[place.subject, default: 0] += 1 }
            state.held[wish.admission] = Held(
                tokens: wish.tokens > 0 ? Array(zip(tokens, reserved)) : [], places: places.map(\.subject), estimate: wish.tokens,
                run: wish.run, expires: now + min(max(.zero, wish.lease), .seconds(86_400)))
            return decision
        }
    }

    /// Ends a reservation. Reported again, or after it was abandoned, it does nothing.
    /// - Parameter used: the tokens it did cost.
    package func settle(_ admission: String, used: Int, now: MonotonicTime) {
        state.withLock { state in
            guard let held = Self.free(admission, &state) else { return }
            for (limit, reserved) in held.tokens {
                guard var entry = state.tokens[limit.subject], entry.window.perMinute == limit.most else { continue }
                let more = Double(max(0, used)) - reserved
                if more > 0 { entry.window.bucket.charge(more, now: now) } else { entry.window.bucket.giveBack(-more, now: now) }
                if used > 0 { entry.learn(Double(used) / Double(max(1, held.estimate))) }
                state.tokens[limit.subject] = entry
            }
        }
    }
}

// MARK: parts of a decision

extension Reservations {
    private typealias Taking = (entries: [TokenEntry], reserved: [Double], wait: Duration?)

    private static func take(_ state: State, _ wish: Wish, _ limits: [Limit], _ now: MonotonicTime) -> Taking {
        var taking: Taking = ([], [], nil)
        for limit in limits {
            var entry = entry(state, limit, now)
            let whole = min(Double(limit.most), Double(max(0, wish.tokens)) * entry.excess)
            let declared = min(whole, Double(max(0, wish.tokens - wish.assumed)) * entry.excess)
            // Who takes what is left leaves nothing for a parallel request, so that at most one exceeds the limit.
            let left = entry.window.bucket.available(now: now).rounded(.down)
            let cost = whole > 0 ? min(whole, max(declared, left, 1)) : 0
            if cost > 0, let wait = entry.window.bucket.take(cost, now: now) { taking.wait = max(taking.wait ?? .zero, wait) }
            taking.entries.append(entry)
            taking.reserved.append(cost)
        }
        return taking
    }

    private static func entry(_ state: State, _ limit: Limit, _ now: MonotonicTime) -> TokenEntry {
        let known = state.tokens[limit.subject]
        return TokenEntry(window: RateWindow(known?.window, limit.most, now), excess: known?.excess ?? 1)
    }

    private static func look(
        _ state: State, _ limits: [Limit], _ now: MonotonicTime, retryAfter: Duration? = nil
    ) -> LimitDecision? {
        guard !limits.isEmpty else { return nil }
        return RateWindow.decision(limits.map { entry(state, $0, now).window }, retryAfter: retryAfter, now)
    }

    /// How the tightest limit of requests at once stands, after this one.
    private static func place(_ state: State, _ limits: [Limit]) -> LimitDecision? {
        let left = limits.map { (limit: $0, left: $0.most - (state.places[$0.subject] ?? 0)) }
        guard let tightest = left.min(by: { $0.left < $1.left }) else { return nil }
        let isFull = tightest.left <= 0 || state.held.count >= capacity
        return LimitDecision(
            isAdmitted: !isFull, limit: tightest.limit.most, remaining: max(0, tightest.left - 1), reset: .zero,
            retryAfter: isFull ? placeWait : .zero)
    }

    /// Takes a reservation out and frees its places.
    private static func free(_ admission: String, _ state: inout State) -> Held? {
        guard let held = state.held.removeValue(forKey: admission) else { return nil }
        for subject in held.places {
            let left = (state.places[subject] ?? 1) - 1
            state.places[subject] = left > 0 ? left : nil
        }
        return held
    }

    /// Abandons what is overdue, and everything of an earlier run of edge: there is one edge at a time.
    private static func sweep(_ state: inout State, run: Int64, _ now: MonotonicTime) {
        let isNewRun = run != 0 && run != state.run
        guard isNewRun || state.sweptAt.map({ now - $0 >= sweepEvery }) ?? true else { return }
        let over = state.held.filter { $0.value.expires <= now || isNewRun && $0.value.run != run }
        for admission in over.keys { _ = free(admission, &state) }
        if isNewRun { state.run = run }
        state.sweptAt = now
    }
}
