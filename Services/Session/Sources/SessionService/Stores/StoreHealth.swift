import BulkheadIPC
import BulkheadStore
import Logging
import Synchronization

/// Says when a store stops and begins to work: GOOD → (a part has a reason) DEGRADED → (the last reason has gone) GOOD. Reasons are
/// shown to who has no key: what a store's library said is logged only.
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
    private let logger: Logger
    private let report: @Sendable (PeerHealth) -> Void

    init(logger: Logger, report: @escaping @Sendable (PeerHealth) -> Void) {
        self.logger = logger
        self.report = report
    }

    /// What is to be durable waits in this process.
    var isDurableAway: Bool { reasons.withLock { $0[.durable] != nil } }

    func observe(_ outcome: CommitOutcome) { setDurable("the store failed", outcome.failure) }

    /// PostgreSQL is away, or back.
    func observe(_ availability: StoreAvailability) {
        guard case .away(let said) = availability else {
            set(.durable, nil)
            return
        }
        setDurable("PostgreSQL cannot be reached", said)
    }

    private func setDurable(_ what: String, _ said: String?) {
        guard set(.durable, said.map { "\(what): \(StoreReason.told($0))" }), let said else { return }
        // Of a server in several lines.
        let line = said.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        logger.warning("\(what)", metadata: ["error": "\(line)"])
    }

    /// - Parameter reason: nil when all is well with the part.
    /// - Returns: whether this is news.
    @discardableResult
    func set(_ part: Part, _ reason: String?) -> Bool {
        let told: [Part: String]? = reasons.withLock { reasons in
            guard reasons[part] != reason, reason == nil || part != .durable || reasons[part] == nil else { return nil }
            reasons[part] = reason
            return reasons
        }
        guard let told else { return false }
        guard !told.isEmpty else {
            report(PeerHealth(state: .ready))
            return true
        }
        let words = told.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value).joined(separator: "; ")
        var stores: [String] = told[.durable] == nil ? [] : ["durable"]
        if told.count > stores.count { stores.append("fast") }
        report(PeerHealth(state: .degraded, reason: words, failingStores: stores))
        return true
    }
}
