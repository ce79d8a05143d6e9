/// What is known of a claim that was not completed, for those who ask for it again. Milliseconds since 1970, by the store's clock.
package struct ClaimStanding: Sendable, Equatable {
    /// The request's id.
    package var requestID: String
    package var startedAt: Int64
    /// nil: nothing was sent out.
    package var dispatchedAt: Int64?
    /// Until then nobody else takes it.
    package var leaseUntil: Int64
    /// An earlier run of it was sent out.
    package var isDuplicate: Bool
    /// Its events are kept.
    package var isStream: Bool
    /// Whoever holds it should have been heard of by now, or is known to be gone.
    package var isLost: Bool
    /// When it was looked at.
    package var now: Int64

    /// Edge renews every ten seconds; of one that has not by then something is wrong.
    private static let silence: Int64 = 12_000
    /// When to ask again while all is well, in milliseconds.
    private static let askAgain = 1_000

    /// A standing of its parts.
    /// - Parameter isOrphan: the process that held it is known to be gone.
    package init(
        requestID: String, startedAt: Int64, dispatchedAt: Int64?, leaseUntil: Int64, isDuplicate: Bool = false,
        isStream: Bool = false, isOrphan: Bool = false, now: Int64
    ) {
        self.requestID = requestID
        self.startedAt = startedAt
        self.dispatchedAt = dispatchedAt
        // A lease from the future is shortened.
        self.leaseUntil = min(leaseUntil, now + ClaimTable.lease)
        self.isDuplicate = isDuplicate
        self.isStream = isStream
        self.now = now
        isLost = isOrphan || now - (self.leaseUntil - ClaimTable.lease) >= Self.silence
    }

    /// When its holder was heard of last.
    private var heardAt: Int64 { leaseUntil - ClaimTable.lease }

    /// When it was sent out; of a run that began again and was not, at least that.
    private var sent: String { dispatchedAt.map { "at \(Words.time($0))" } ?? "before \(Words.time(startedAt))" }

    /// When it is worth asking again, in milliseconds: of a lost one when its lease is over.
    package var retryAfter: Int { isLost ? max(1, Int(leaseUntil - now)) : Self.askAgain }

    /// While it is held.
    package var whileHeld: String {
        guard isLost else {
            let hint = isStream ? ", or send Last-Event-ID: 0 to follow its stream" : ""
            return "The first request with this Idempotency-Key, begun at \(Words.time(startedAt)), still runs. "
                + "Ask again shortly for its answer\(hint)."
        }
        let silence = "the process that ran it was last heard of at \(Words.time(heardAt))"
        let held = "The key is held for it until \(Words.time(leaseUntil))"
        guard dispatchedAt == nil, !isDuplicate else {
            return "The first request with this Idempotency-Key was sent out \(sent), and "
                + "\(silence). \(held); if nothing is heard of it by then, its outcome is unknown (outcome_unknown)."
        }
        return "The first request with this Idempotency-Key was admitted at \(Words.time(startedAt)) and not sent out, and "
            + "\(silence). \(held); after that it runs when it is sent again."
    }

    /// When nobody holds it any more, and it may have run.
    package var whenUnknown: String {
        // A lease of no length: whoever held it said that there will be no answer.
        if dispatchedAt == leaseUntil {
            return
                "The first request with this Idempotency-Key was sent out \(sent) and ended without an answer: nobody knows what "
                + "became of it, and it may have been billed."
        }
        return "The first request with this Idempotency-Key was sent out \(sent), and the process that ran "
            + "it was last heard of at \(Words.time(heardAt)): nobody knows what became of it, and it may have been billed."
    }
}
