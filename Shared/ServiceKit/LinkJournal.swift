import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import Logging
import Synchronization

/// Writes down how a link fares: one line when its state or its breaker changes, with the reason, and not many of them when it
/// flaps.
final class LinkJournal: Sendable {
    private struct State {
        var told = ("", "")
        var lines = TokenBucket(rate: 0.2, burst: 6, now: .now())
        var withheld = 0
    }

    private let logger: Logger
    private let state = Mutex(State())

    init(_ logger: Logger) { self.logger = logger }

    /// Called with every change of the link.
    func observe(_ link: LinkSnapshot) {
        let now = (link.state.rawValue, link.breaker)
        let withheld: Int? = state.withLock { state in
            // Coming up for the first time is nobody's news.
            let isFirst = state.told.0.isEmpty && (link.state == .connecting || link.state == .ready)
            guard state.told != now else { return nil }
            state.told = now
            if isFirst { return nil }
            guard state.lines.take(now: .now()) == nil else {
                state.withheld += 1
                return nil
            }
            defer { state.withheld = 0 }
            return state.withheld
        }
        guard let withheld else { return }
        var metadata: Logger.Metadata = ["peer": "\(link.peer)", "state": "\(link.state.rawValue)", "breaker": "\(link.breaker)"]
        if link.state != .ready || link.breaker != "closed", let error = link.lastError { metadata["reason"] = "\(error)" }
        if withheld > 0 { metadata["changes_not_told"] = "\(withheld)" }
        logger.notice("link changed", metadata: metadata)
    }
}
