import BulkheadIPC
import BulkheadStore
import Synchronization

/// Says when the store stops and begins to work: GOOD → (a commit failed) FAILING → (a commit went through) GOOD.
final class StoreHealth: Sendable {
    private let isFailing = Mutex(false)
    private let report: @Sendable (PeerHealth) -> Void

    init(report: @escaping @Sendable (PeerHealth) -> Void) { self.report = report }

    func observe(_ outcome: CommitOutcome) {
        let failing = outcome.failure != nil
        let changed = isFailing.withLock { state in
            defer { state = failing }
            return state != failing
        }
        guard changed else { return }
        report(
            outcome.failure.map { PeerHealth(state: .degraded, reason: $0, failingStores: ["durable"]) }
                ?? PeerHealth(state: .ready))
    }
}
