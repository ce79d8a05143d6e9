import BulkheadIPC
import Synchronization

/// What peers are told of this process: degraded, with every reason there is, until the last one has gone.
package final class RouterHealth: Sendable {
    /// Whoever may have a reason.
    package enum Part: Int, Sendable {
        case switches, redis
    }

    /// `suite.stores.fast`, as the suite names it.
    private static let fastStore = "fast"

    private let reasons = Mutex<[Part: String]>([:])
    private let report: @Sendable (PeerHealth) -> Void

    package init(report: @escaping @Sendable (PeerHealth) -> Void) { self.report = report }

    /// - Parameter reason: nil when all is well with the part.
    package func set(_ part: Part, _ reason: String?) {
        let told = reasons.withLock { reasons in
            reasons[part] = reason
            return reasons
        }
        guard !told.isEmpty else { return report(PeerHealth(state: .ready)) }
        let words = told.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value).joined(separator: "; ")
        report(PeerHealth(state: .degraded, reason: words, failingStores: told[.redis] == nil ? [] : [Self.fastStore]))
    }
}
