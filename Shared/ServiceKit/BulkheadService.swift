import BulkheadConfig
import BulkheadCore
import BulkheadIPC

/// A peer a service may call. Nothing else can be dialled: `ServiceContext.link(to:)` knows only declared peers.
package struct PeerDeclaration: Sendable {
    /// Who is called.
    package let service: ServiceName
    /// The schemas the caller speaks there, besides `Peer`.
    package let schemas: [ServiceSchema]
    /// How long a call may take unless its request's own deadline is nearer; `suite.links` overrides it.
    package let deadline: Duration
    /// What the service does without this peer, in a few words: shown by `links` and in the manual page.
    package let fallback: String

    /// Declares a peer; the breaker's values are the defaults of CONTRACT §4 unless `suite.links` says otherwise.
    package init(_ service: ServiceName, schemas: [ServiceSchema], deadline: Duration, fallback: String) {
        self.service = service
        self.schemas = schemas
        self.deadline = deadline
        self.fallback = fallback
    }
}

/// A breaker a service has besides those of its links (a provider target), for `breakers list`.
package struct BreakerRow: Sendable, Codable {
    /// What `breakers open NAME` takes.
    package var name: String
    /// closed | open | half-open | forced-open | forced-closed
    package var state: String
    /// Milliseconds to the next probe while open.
    package var nextProbeMilliseconds: Int?

    /// One row.
    package init(name: String, state: String, nextProbeMilliseconds: Int? = nil) {
        self.name = name
        self.state = state
        self.nextProbeMilliseconds = nextProbeMilliseconds
    }
}

/// One of the six services. ServiceKit does everything they share: configuration, log, lock, sockets, links, signals,
/// admin verbs, drain. A service supplies what is its own.
///
/// Order of life: `init` (open stores; throw `StartupFailure` to refuse with a reason) → sockets are bound → `start`
/// (begin listening, background work) → `drain` → end of process.
package protocol BulkheadService: AnyObject, Sendable {
    /// The service's section of the configuration file.
    associatedtype Configuration: ServiceConfiguration

    /// Its name.
    static var name: ServiceName { get }
    /// Every link it opens. Nothing else is dialled.
    static var peers: [PeerDeclaration] { get }
    /// The services that may call it on `ipc.sock`.
    static var callers: Set<ServiceName> { get }

    /// Opens stores and makes the parts; calls no peer.
    init(configuration: Configuration, context: ServiceContext) async throws
    /// What peers may call, e.g. `RouterMethods.serve(self)`.
    var methods: [ServerMethod] { get }
    /// The schemas of `methods`, e.g. `[RouterMethods.schema]`.
    static var schemas: [ServiceSchema] { get }
    /// Its own admin verbs.
    var verbs: [AdminVerb] { get }
    /// Begins to serve; sockets are bound. Returns once serving; long-running work goes to `context.background`.
    func start() async throws
    /// Takes a new configuration, all or nothing. - Throws: `StartupFailure` when a value cannot change without a restart.
    func reload(_ configuration: Configuration) async throws
    /// Ends what `start` began, letting running work finish within `grace`. IPC calls are drained by the kit afterwards.
    func drain(grace: Duration) async
    /// Breakers besides those of links.
    func breakers() -> [BreakerRow]
    /// Forces such a breaker; false when there is none of that name. `open` nil: back to automatic.
    func forceBreaker(_ name: String, open: Bool?) -> Bool
    /// Brings gauges up to date before `/metrics` is rendered.
    func collectMetrics()
}

extension BulkheadService {
    package func breakers() -> [BreakerRow] { [] }
    package func forceBreaker(_ name: String, open: Bool?) -> Bool { false }
    package func collectMetrics() {}
}

/// Why a service does not start (or does not take a new configuration), and with which exit code.
package struct StartupFailure: Error, Sendable, CustomStringConvertible {
    /// sysexits: 1 failed, 75 already running, 78 configuration.
    package let exitCode: Int32
    package let description: String

    /// - Parameter description: what is wrong, with which value, and what to do.
    package init(_ description: String, exitCode: Int32 = 1) {
        self.description = description
        self.exitCode = exitCode
    }
}
