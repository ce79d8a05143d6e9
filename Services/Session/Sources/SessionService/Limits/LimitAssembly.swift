import BulkheadCore
import BulkheadIPC
import BulkheadRedis
import BulkheadServiceKit
import BulkheadStore
import Crypto
import Logging
import NIOCore
import Synchronization

/// What is read from the durable store, once.
private final class StoreName: Sendable {
    private let value = Mutex("")

    var text: String { value.withLock { $0 } }

    func set(_ text: String) { value.withLock { $0 = text } }
}

/// The desk of a service's limits, with its Redis if there is one.
struct LimitAssembly {
    let desk: LimitDesk
    let client: RedisClient?
    /// Names this process among those that share the Redis.
    let suite = APIKey.base64URL(SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) })

    /// Names the durable store: those who share it seed a budget in Redis once. Empty until it was read.
    private let name = StoreName()
    private let store: any DurableStore

    /// - Throws: `StartupFailure` for an address of Redis that is not spoken.
    init(
        context: ServiceContext, store: any DurableStore, spend: SpendLedger, metrics: SessionMetrics, health: StoreHealth
    ) async throws {
        self.store = store
        let logger = context.logger
        let alerts = BudgetAlerts { alert in
            metrics.alerted(alert.threshold)
            Self.log(alert, logger)
        }
        let clock = LimitClock(.now())
        let returned = Returned()
        client = try Self.client(context, returned, health)
        var shared: SharedLimits?
        if let client {
            shared = SharedLimits(
                client, storeName: { [name] in name.text }, dropped: { metrics.droppedEnd() }
            ) { tenant, crossings in
                alerts.tell(tenant, crossings, at: Moment.now().unixMilliseconds)
            }
            returned.limits.withLock { $0 = shared }
        }
        // Nobody else spends of budgets that are in this process' own files.
        let ownSince = client == nil && store.kind == .sqlite ? clock.microseconds(.now()) : nil
        desk = LimitDesk(
            local: LocalLimits(ownSince: ownSince), shared: shared, alerts: alerts, spend: spend, store: store, clock: clock,
            isAway: { failure, suites in
                guard let failure else {
                    health.set(.limits, nil)
                    return logger.notice("redis decides on limits again; for a minute this process agrees to each")
                }
                let reason = "redis does not decide on limits (\(failure)): this process does, one of \(suites)"
                health.set(.limits, reason)
                logger.warning("\(reason)")
            })
    }

    /// Who is told that Redis is back; it exists later than the connection.
    private final class Returned: Sendable {
        let limits = Mutex<SharedLimits?>(nil)
    }

    private static func client(
        _ context: ServiceContext, _ returned: Returned, _ health: StoreHealth
    ) throws -> RedisClient? {
        let observer = RedisObserver(state: { isReady, reason in
            if isReady { returned.limits.withLock { $0 }?.returned() }
            let away = "redis is away (\(reason.map { "\($0)" } ?? "")): limits are held by this process"
            health.set(.connection, isReady ? nil : away)
        })
        do throws(RedisAddress.Problem) {
            return try RedisClient.configured(
                context.suite.stores, eventLoop: context.eventLoop, blocking: { try await context.blocking($0) },
                observer: observer, logger: context.logger)
        } catch {
            throw StartupFailure(error.description, exitCode: 78)
        }
    }

    /// Keeps the connection to Redis. Redis is not asked before the durable store was: until then this process decides.
    func maintain(on eventLoop: any EventLoop) async throws {
        guard let client else { return }
        while true {
            do {
                name.set(APIKey.base64URL(try await StoredSecret("store name").value(store).withUnsafeBytes { Array($0) }))
                break
            } catch is CallError {
                try await eventLoop.sleep(.milliseconds(500))
            }
        }
        await client.maintain()
    }

    private static func log(_ alert: BudgetAlert, _ logger: Logger) {
        let facts: Logger.Metadata = [
            "tenant": "\(alert.tenant)", "subject": "\(alert.subject)", "percent": "\(alert.threshold)",
            "budget_usd": "\(Double(alert.limit) / 1e9)", "window_ms": "\(alert.windowMilliseconds)",
        ]
        logger.log(level: alert.threshold < 100 ? .notice : .warning, "a budget is spent to a part", metadata: facts)
    }
}
