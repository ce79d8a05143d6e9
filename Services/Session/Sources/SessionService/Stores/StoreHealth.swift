import BulkheadIPC
import BulkheadStore
import Synchronization

/// Says when a store stops and begins to work: GOOD → (a part has a reason) DEGRADED → (the last reason has gone) GOOD.
final class StoreHealth: Sendable {
    /// Whoever may have a reason.
    enum Part: Int, Sendable {
        /// Commits fail.
        case durable
        /// There is no connection to Redis.
        case connection
        /// Redis does not decide.
        case limits
    }

    private let reasons = Mutex<[Part: String]>([:])
    private let report: @Sendable (PeerHealth) -> Void

    init(report: @escaping @Sendable (PeerHealth) -> Void) { self.report = report }

    /// What is to be durable waits in this process.
    var isDurableAway: Bool { reasons.withLock { $0[.durable] != nil } }

    func observe(_ outcome: CommitOutcome) { set(.durable, outcome.failure) }

    /// PostgreSQL is away, or back.
    func observe(_ availability: StoreAvailability) {
        guard case .away(let reason) = availability else { return set(.durable, nil) }
        set(.durable, "PostgreSQL cannot be reached: \(reason)")
    }

    /// - Parameter reason: nil when all is well with the part.
    func set(_ part: Part, _ reason: String?) {
        let told: [Part: String]? = reasons.withLock { reasons in
            guard reasons[part] != reason, reason == nil || part != .durable || reasons[part] == nil else { return nil }
            reasons[part] = reason
            return reasons
        }
        guard let told else { return }
        guard !told.isEmpty else { return report(PeerHealth(state: .ready)) }
        let words = told.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value).joined(separator: "; ")
        var stores: [String] = told[.durable] == nil ? [] : ["durable"]
        if told.count > stores.count { stores.append("fast") }
        report(PeerHealth(state: .degraded, reason: words, failingStores: stores))
    }
}
