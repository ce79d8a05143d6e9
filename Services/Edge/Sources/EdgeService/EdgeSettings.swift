import BulkheadServiceKit
import Synchronization

/// The configuration in force; `reload` changes what can change while edge runs.
final class EdgeSettings: Sendable {
    private let configuration: Mutex<EdgeConfiguration>

    init(_ configuration: EdgeConfiguration) { self.configuration = Mutex(configuration) }

    /// As it is now.
    var current: EdgeConfiguration { configuration.withLock { $0 } }

    /// Takes a new configuration. - Throws: `StartupFailure` naming what needs a restart; nothing has changed then.
    func replace(_ next: EdgeConfiguration) throws {
        let now = current
        let fixed: [(key: String, isSame: Bool)] = [
            ("listen", now.listen == next.listen), ("ops_listen", now.opsListen == next.opsListen),
            ("tls", now.tls?.certificate == next.tls?.certificate && now.tls?.key == next.tls?.key),
            ("auth", now.auth == next.auth && now.oidc == next.oidc),
            ("max_concurrent_requests", now.maxConcurrentRequests == next.maxConcurrentRequests),
            (
                "queue",
                now.queueDepth == next.queueDepth && now.queueMaxWait == next.queueMaxWait
                    && now.queueMaxLimitWait == next.queueMaxLimitWait
            ),
            (
                "idempotency",
                now.idempotencyRequiredOn == next.idempotencyRequiredOn && now.idempotencyScope == next.idempotencyScope
            ),
        ]
        let changed = fixed.filter { !$0.isSame }.map { "edge.\($0.key)" }
        guard changed.isEmpty else {
            throw StartupFailure("\(changed.joined(separator: ", ")) cannot change while edge runs: restart it", exitCode: 78)
        }
        configuration.withLock { $0 = next }
    }
}
