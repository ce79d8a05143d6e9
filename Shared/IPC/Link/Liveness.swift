import BulkheadCore

/// Decides when a silent peer is suspected and when it is given up. A value; the owner keeps the timer.
///
/// States: heard → asked (a PING is out) → suspect (it was not answered) → lost. Any byte leads back to heard. A frozen peer
/// still has a socket that accepts, so silence is all there is to see. Three seconds to suspicion keep callers from waiting;
/// ten to the end keep a starved machine from losing streams that would have gone on.
struct Liveness {
    /// Nothing received for this long: PING.
    static let silence: Duration = .milliseconds(1750)
    /// A PING unanswered for this long: suspect.
    static let answerTime: Duration = .seconds(1)
    /// Nothing received for this long: the connection is given up.
    static let patience: Duration = .seconds(10)
    /// A check that comes later than this was held up by this process itself.
    private static let ownDelay: Duration = .milliseconds(200)

    enum Action: Equatable {
        case ping
        case suspect
        case lost
        case nothing
    }

    private var asked: MonotonicTime?
    private(set) var isSuspect = false

    /// A byte came. - Returns: true when the peer was suspect.
    mutating func heard() -> Bool {
        defer { isSuspect = false }
        return isSuspect
    }

    /// - Parameters:
    ///   - due: when this check should have come.
    ///   - lastReceived: when the last byte came.
    /// - Returns: what to do, and how long to wait until the next check.
    mutating func check(due: MonotonicTime, lastReceived: MonotonicTime, now: MonotonicTime) -> (Action, Duration) {
        // What the peer sent while this process stood still has not been read yet.
        if now - due > Self.ownDelay { return (.nothing, .milliseconds(100)) }
        let quiet = now - lastReceived
        if let asked, lastReceived <= asked { return unanswered(asked, quiet, now) }
        asked = nil
        guard quiet >= Self.silence else { return (.nothing, Self.silence - quiet) }
        asked = now
        return (.ping, Self.answerTime)
    }

    private mutating func unanswered(_ asked: MonotonicTime, _ quiet: Duration, _ now: MonotonicTime) -> (Action, Duration) {
        if quiet >= Self.patience { return (.lost, .zero) }
        let waited = now - asked
        if waited < Self.answerTime { return (.nothing, Self.answerTime - waited) }
        // Often enough that a peer that woke and froze again is suspected as soon as the first time.
        let next = min(Self.answerTime, Self.patience - quiet)
        // Asked again, should the first PING have been lost with a buffer.
        if isSuspect { return (.ping, next) }
        isSuspect = true
        return (.suspect, next)
    }
}
