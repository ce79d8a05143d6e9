import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import Logging

/// The retrieval service: the composition of its parts.
package final class RetrievalDaemon: BulkheadService {
    package static let name = ServiceName.retrieval
    package static let peers = RetrievalPeers.all
    package static let callers = RetrievalPeers.callers
    package static let schemas = [RetrievalMethods.schema]

    private let configuration: RetrievalConfiguration
    private let context: ServiceContext
    private let embedder: Embedder

    package init(configuration: RetrievalConfiguration, context: ServiceContext) async throws {
        self.configuration = configuration
        self.context = context
        let holder = ModelHolder(
            configured: configuration.modelPath, executable: ModelFolder.executable,
            changed: { Self.report($0, configuration.embedder, context) })
        embedder = Embedder(
            holder: holder, cache: EmbeddingCache(timeToLive: configuration.embeddingTimeToLive),
            meters: EmbeddingMeters(context.metrics), offload: { try await context.blocking($0) })
    }

    package var methods: [ServerMethod] { RetrievalMethods.serve(self) }

    package var verbs: [AdminVerb] {
        [AdminVerb("model") { [embedder] (_: NoValue) in ModelReport(embedder) }]
    }

    package func start() async throws {
        let holder = embedder.holder
        try await context.blocking { holder.look() }
        Self.report(holder.status, configuration.embedder, context)
        context.background("model watch") { [context] in try await Self.awaitModel(holder, context) }
    }

    /// Ends once the model is there; nothing but this notices files that are installed while nobody embeds.
    private static func awaitModel(_ holder: ModelHolder, _ context: ServiceContext) async throws {
        while case .missing = holder.status {
            try await context.eventLoop.sleep(.seconds(5))
            do {
                try await context.blocking { holder.look() }
            } catch let busy as CallError {
                context.logger.debug("did not look for the model", metadata: ["reason": "\(busy.message)"])
            }
        }
    }

    package func reload(_ configuration: RetrievalConfiguration) async throws {
        guard configuration.embedder == self.configuration.embedder else {
            throw StartupFailure("retrieval.embedder cannot change while running: restart bulkhead-retrieval", exitCode: 78)
        }
        embedder.cache.setTimeToLive(configuration.embeddingTimeToLive)
    }

    package func drain(grace: Duration) async {}

    package func collectMetrics() { embedder.meters.collect(embedder) }

    /// Health follows the model; a remote embedder is accepted by the configuration and not served.
    private static func report(
        _ status: ModelHolder.Status, _ configured: RetrievalConfiguration.Embedder, _ context: ServiceContext
    ) {
        var problems: [String] = []
        if case .remote(let destination, _, _) = configured {
            problems.append("remote embedders come in a later part: \(destination) is not used, the built-in one answers")
        }
        if let problem = status.problem { problems.append(problem) }
        for problem in problems { context.logger.warning("degraded", metadata: ["reason": "\(problem)"]) }
        let health = PeerHealth(state: problems.isEmpty ? .ready : .degraded, reason: problems.joined(separator: "; "))
        // The model changes state on a blocking thread; links and listeners live on the loop.
        context.eventLoop.execute { context.reportHealth(health) }
    }
}

extension RetrievalDaemon: RetrievalHandler {
    package func embed(_ request: RetrievalAPI.EmbedRequest, _ call: ServerCall) async throws -> RetrievalAPI.EmbedReply {
        let answer = try await embedder.embed(request.inputs, dimensions: request.dimensions, tenant: call.metadata.tenant)
        return RetrievalAPI.EmbedReply(
            vectors: answer.vectors.map { RetrievalAPI.Vector(values: $0) }, inputTokens: answer.tokens,
            model: EmbeddingModel.name)
    }
}
