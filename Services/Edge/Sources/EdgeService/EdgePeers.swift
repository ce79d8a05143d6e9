import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit

/// Every link edge opens: whom it calls, how long it waits, and what it does without.
struct EdgePeers: Sendable {
    /// How long admission may take before the request is served from what edge remembers.
    static let admissionLimit = Duration.seconds(1)
    /// How long `/metrics` waits for one peer.
    static let metricsLimit = Duration.milliseconds(500)

    /// How long a price is waited for before a request is admitted without it.
    static let priceLimit = Duration.milliseconds(100)
    /// How long one watch of keys lasts; the next follows at once.
    static let watchLimit = Duration.seconds(86_400)

    /// The calls of router and credentials are bounded by each request's own deadline, which edge.request_timeout limits.
    static let declarations = [
        PeerDeclaration(
            .router, schemas: [RouterMethods.schema], deadline: .seconds(86_400), fallback: "model routes answer 503"),
        PeerDeclaration(
            .session, schemas: [SessionMethods.schema], deadline: admissionLimit,
            fallback: "keys seen in the last 15 minutes are served, limits are held locally"),
        PeerDeclaration(
            .retrieval, schemas: [RetrievalMethods.schema], deadline: .seconds(10), fallback: "chat is answered without context"),
        PeerDeclaration(
            .credentials, schemas: [CredentialsMethods.schema], deadline: .seconds(86_400),
            fallback: "/v1/proxy, /v1/call and /ready answer 503"),
        PeerDeclaration(.telemetry, schemas: [TelemetryMethods.schema], deadline: .seconds(5), fallback: "events wait in memory"),
    ]

    let router: RouterClient
    let session: SessionClient
    let credentials: CredentialsClient
    private let context: ServiceContext

    init(context: ServiceContext) {
        self.context = context
        router = RouterClient(link: context.link(to: .router))
        session = SessionClient(link: context.link(to: .session))
        credentials = CredentialsClient(link: context.link(to: .credentials))
    }

    /// The links as they are now, in the order of their declaration.
    func snapshots() -> [(peer: ServiceName, link: LinkSnapshot)] { context.links.map { ($0.peer, $0.link.snapshot()) } }

    /// Options of a call to the router: the request's deadline, or the link's if that is nearer.
    func routerOptions(_ metadata: CallMetadata, deadline: MonotonicTime, isIdempotent: Bool = false) -> CallOptions {
        CallOptions(deadline: context.deadline(for: .router, within: deadline), metadata: metadata, isIdempotent: isIdempotent)
    }

    /// Options of a call to credentials: the request's deadline, or the link's if that is nearer.
    func credentialsOptions(_ metadata: CallMetadata, deadline: MonotonicTime) -> CallOptions {
        CallOptions(deadline: context.deadline(for: .credentials, within: deadline), metadata: metadata)
    }

    /// Options of a call to session.
    /// - Parameter waits: whether a link that is connecting is waited for; not when there is something to fall back on.
    func sessionOptions(_ metadata: CallMetadata, deadline: MonotonicTime = .never, waits: Bool) -> CallOptions {
        CallOptions(
            deadline: context.deadline(for: .session, within: deadline), metadata: metadata,
            waitForReady: waits ? .milliseconds(200) : .zero)
    }

    /// Hears of keys that changed until the watch breaks; `body` runs with each word of session.
    func watchKeys(_ body: (SessionAPI.WatchKeysReply) -> Void) async throws {
        try await session.watchKeys(SessionAPI.WatchKeysRequest(), CallOptions(deadline: .now() + Self.watchLimit)) { reader in
            while let reply = try await reader.next() { body(reply) }
        }
    }

    /// What the tokens of a model cost; nil when the router knows no price, or no such model.
    func price(of model: String, _ metadata: CallMetadata) async throws -> ModelPrice? {
        let options = CallOptions(
            deadline: .now() + Self.priceLimit, metadata: metadata, isIdempotent: true, waitForReady: .zero)
        do {
            let found = try await router.listModels(RouterAPI.ListModelsRequest(name: model), options).models.first
            guard let found, found.inputNanousd > 0 || found.outputNanousd > 0 else { return nil }
            return ModelPrice(input: found.inputNanousd, output: found.outputNanousd)
        } catch let error as CallError where error.code == .notFound {
            return nil
        }
    }

    /// The metrics of one peer as text.
    func metrics(of peer: ServiceName) async throws -> String {
        let options = CallOptions(deadline: .now() + Self.metricsLimit, isIdempotent: true, waitForReady: .zero)
        return try await PeerClient(link: context.link(to: peer)).metrics(ControlAPI.MetricsRequest(), options).text
    }
}
