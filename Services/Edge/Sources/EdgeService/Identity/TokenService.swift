import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import Logging
import Synchronization

/// Identity by tokens in this process: the desk, its keys, and who is told of trouble.
final class TokenService: Sendable {
    let desk: TokenDesk
    private let metrics: TokenMetrics
    private let rhythm: TokenKeys.Rhythm
    private let context: ServiceContext

    /// The desk exists later than the keys that tell it of changes.
    private final class Late: Sendable {
        let desk = Mutex<TokenDesk?>(nil)
    }

    /// - Throws: `StartupFailure` when the keys' destination is not for this process.
    init(
        _ settings: OIDCConfiguration, context: ServiceContext, peers: EdgePeers, destinations: DestinationDirectory
    ) throws {
        try Self.check(settings.source, destinations)
        let metrics = TokenMetrics(context.metrics)
        let late = Late()
        let observer = TokenKeys.Observer(
            changed: { late.desk.withLock { $0 }?.forgetAll() },
            troubled: { trouble in
                context.reportHealth(trouble.map { PeerHealth(state: .degraded, reason: $0.reason) } ?? PeerHealth(state: .ready))
            },
            loaded: { metrics.loaded(isGood: $0) })
        let keys = TokenKeys(
            algorithms: settings.algorithms, logger: context.logger, observer: observer,
            load: KeySetSource.load(settings.source, context, peers))
        desk = TokenDesk(settings, keys: keys, metrics: metrics)
        late.desk.withLock { [desk] in $0 = desk }
        rhythm = .of(settings.source)
        (self.metrics, self.context) = (metrics, context)
    }

    private static func check(_ source: OIDCConfiguration.KeySource, _ destinations: DestinationDirectory) throws {
        guard case .destination(let name, _) = source, let entry = destinations.all.first(where: { $0.name == name }),
            !entry.isForEdge
        else { return }
        throw StartupFailure(
            "edge.auth.jwks_destination is \(name), and credentials.destinations.\(name).callers does not hold edge: add it",
            exitCode: 78)
    }

    /// Keeps the keys until cancelled.
    func run() async { await desk.keys.run(rhythm, on: context.eventLoop) }

    /// Brings the gauges up to date.
    func collectMetrics() { metrics.update(desk) }
}
