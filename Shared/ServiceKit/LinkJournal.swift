import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import Logging
import Synchronization

/// Writes down how a link fares: one line when trouble begins or changes, with the reason, one when it is over, and not many of
/// them when it flaps. Peers that are still starting, and links this process closes itself, are no trouble.
final class LinkJournal: Sendable {
    /// Six processes start in any order; until then a peer that is not there yet is nobody's news.
    private static let startTime: Duration = .seconds(2)

    private struct State {
        let born = MonotonicTime.now()
        /// The trouble that was told last; empty when there is none.
        var told = ""
        var lines = TokenBucket(rate: 0.2, burst: 6, now: .now())
        var withheld = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) { self.logger = logger }

    /// Called with every change of the link.
    func observe(_ link: LinkSnapshot) {
        let isWell = link.state == .ready && link.breaker == "closed"
        let trouble = isWell ? "" : "\(link.state.rawValue) \(link.breaker)"
        let withheld: Int? = state.withLock { state in
            let now = MonotonicTime.now()
            guard trouble != state.told, isWell || Self.isNews(link, age: now - state.born) else { return nil }
            state.told = trouble
            guard state.lines.take(now: now) == nil else {
                state.withheld += 1
                return nil
            }
            defer { state.withheld = 0 }
            return state.withheld
        }
        guard let withheld else { return }
        var metadata: Logger.Metadata = ["peer": "\(link.peer)", "state": "\(link.state.rawValue)", "breaker": "\(link.breaker)"]
        if !isWell, let error = link.lastError { metadata["reason"] = "\(error)" }
        if withheld > 0 { metadata["changes_not_told"] = "\(withheld)" }
        logger.notice("link changed", metadata: metadata)
    }

    private static func isNews(_ link: LinkSnapshot, age: Duration) -> Bool {
        let isFirst = link.peerInstance == nil && age < startTime
        return !isFirst && link.state != .connecting && link.lastError != LinkSnapshot.closedHere
    }
}
