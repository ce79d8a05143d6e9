import BulkheadIPC
import Synchronization

/// What peers are told of this process: degraded, with every reason there is, until the last one has gone.
package final class RouterHealth: Sendable {
    /// Whoever may have a reason.
    package enum Part: Int, Sendable {
        case switches, redis
    }

    private let reasons = Mutex<[Part: String]>([:])
    private let report: @Sendable (PeerHealth) -> Void

    package init(report: @escaping @Sendable (PeerHealth) -> Void) { self.report = report }

    /// - Parameter reason: nil when all is well with the part.
    package func set(_ part: Part, _ reason: String?) {
        let told = reasons.withLock { reasons in
            reasons[part] = reason
            return reasons.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value)
        }
        report(told.isEmpty ? PeerHealth(state: .ready) : PeerHealth(state: .degraded, reason: told.joined(separator: "; ")))
    }
}
