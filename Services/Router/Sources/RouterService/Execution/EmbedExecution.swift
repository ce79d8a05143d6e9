import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore

/// Makes embeddings: at a provider, or with the embedder of the retrieval service.
package struct EmbedExecution: Sendable {
    package let exchange: UpstreamExchange
    package let retrieval: RetrievalClient
    package let failover: Failover
    package let order: TargetOrder

    /// Inputs of one request, and the largest answer that is read.
    package static let maxInputs = 2048
    private static let maxAnswer = 64 << 20

    package func run(_ request: RouterAPI.EmbedRequest, _ settings: RouterSettings, _ call: ServerCall) async throws
        -> RouterAPI.EmbedReply
    {
        let count = try Self.count(request)
        guard (1 ... Self.maxInputs).contains(count) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "The request has \(count) inputs: 1 to \(Self.maxInputs) are allowed.")
        }
        var route = try settings.table.route(request.model)
        let bytes = request.inputs.reduce(request.tokenInputsJson?.utf8.count ?? 0) { $0 + $1.utf8.count }
        route.targets = order.order(
            route.targets, route.strategy, settings.accounting.catalog, input: bytes / 4, output: 0)
        let deadline = RequestDeadline(caller: call.deadline, total: route.timeouts.total, now: .now())
        let plan = Failover.Plan(
            route, deadline: deadline, clientRetries: 0, catalog: settings.accounting.catalog,
            requestID: call.metadata.requestID)
        do {
            return try await failover.run(plan) { one in
                let watchdog = Watchdog(eventLoop: failover.eventLoop, limit: one.route.timeouts.firstToken)
                let outcome = await attempt(request, one, call.metadata, watchdog)
                guard case .answered(let reply) = outcome else { return outcome }
                return .answered(settings.accounting.charged(reply, for: request, target: one.target))
            }
        } catch let all as AllFailed {
            throw all.told
        }
    }

    /// Texts, written out or as numbers.
    private static func count(_ request: RouterAPI.EmbedRequest) throws -> Int {
        guard let tokens = request.tokenInputsJson else { return request.inputs.count }
        return try NotExpressible.parse(tokens, what: "input").array?.count ?? 0
    }

    private func attempt(
        _ request: RouterAPI.EmbedRequest, _ one: Try, _ metadata: CallMetadata, _ watchdog: Watchdog
    ) async -> TryOutcome<RouterAPI.EmbedReply> {
        do {
            switch one.target.dialect {
            case .builtin: return .answered(try await builtin(request, one, metadata))
            case .openai: return .answered(try await remote(request, one, metadata, watchdog))
            case .anthropic, .openaiResponses, .gemini, .bedrock: return .failed(Self.noEmbeddings(one.target))
            }
        } catch {
            if watchdog.hasExpired { return .failed(exchange.silence(one, after: watchdog.limit)) }
            return .failed(Self.failure(of: error, one))
        }
    }

    private func remote(
        _ request: RouterAPI.EmbedRequest, _ one: Try, _ metadata: CallMetadata, _ watchdog: Watchdog
    ) async throws -> RouterAPI.EmbedReply {
        let upstream = try OpenAIEmbeddings.request(request, model: one.target.model)
        let options = CallOptions(deadline: one.deadline.time, metadata: metadata)
        return try await exchange.perform(upstream, one.target, connectTimeout: one.route.timeouts.connect, options, watchdog) {
            head, body in
            guard let bytes = try await body.whole(limit: Self.maxAnswer) else {
                throw TargetFailure.broken(one.target, "sent an answer larger than \(Self.maxAnswer >> 20) MiB")
            }
            guard head.isSuccess else {
                throw ProviderError(status: head.status, headers: head.headers, body: bytes).failure(one.target)
            }
            let (vectors, tokens) = try OpenAIEmbeddings.decode(bytes, count: try Self.count(request))
            return Self.reply(vectors, tokens, one)
        }
    }

    /// Labels for the provider's own use, which mean nothing here.
    private static let labels: Set<String> = ["metadata", "safety_identifier", "prompt_cache_key", "store", "service_tier"]

    private func builtin(_ request: RouterAPI.EmbedRequest, _ one: Try, _ metadata: CallMetadata) async throws
        -> RouterAPI.EmbedReply
    {
        guard request.tokenInputsJson == nil else {
            throw TargetFailure(
                .unsupported,
                CallError(
                    .invalidArgument, reason: "invalid_request",
                    message: "The builtin embedder takes texts, not token numbers: its vocabulary is its own."))
        }
        if let extra = request.extraJson,
            let other = try NotExpressible.parse(extra, what: "the request").object?.first(where: {
                !Self.labels.contains($0.name) && !$0.value.isNull
            })
        {
            throw TargetFailure(
                .unsupported,
                CallError(
                    .invalidArgument, reason: "invalid_request",
                    message: "The builtin embedder has no '\(other.name.prefix(64))': leave the member out."))
        }
        let deadline = min(one.deadline.time, .now() + RouterPeers.retrievalDeadline)
        let answer: RetrievalAPI.EmbedReply
        do {
            answer = try await retrieval.embed(
                .init(inputs: request.inputs, dimensions: request.dimensions),
                CallOptions(deadline: deadline, metadata: metadata, isIdempotent: true))
        } catch let error as CallError where error.code == .unavailable {
            throw TargetFailure(
                .unsupported,
                CallError(
                    .unavailable, reason: error.reason,
                    message: "The builtin embedder cannot be reached: see bulkhead-router links.",
                    retryAfter: error.retryAfter, origin: error.origin))
        }
        return Self.reply(answer.vectors.map { .init(values: $0.values) }, answer.inputTokens, one)
    }

    private static func reply(_ vectors: [RouterAPI.Vector], _ tokens: Int, _ one: Try) -> RouterAPI.EmbedReply {
        let served = ChatAPI.Served(
            provider: one.target.provider, model: one.target.model, attempts: one.number, cache: .off, degraded: one.degraded,
            created: time(nil))
        return RouterAPI.EmbedReply(vectors: vectors, inputTokens: tokens, served: served)
    }

    private static func failure(of error: any Error, _ one: Try) -> TargetFailure {
        switch error {
        case let failure as TargetFailure: return failure
        case DecodeFault.malformed(let what): return .broken(one.target, what)
        case let error as CallError where one.target.dialect == .builtin:
            return TargetFailure(error.code == .cancelled ? .cancelled : .callersMistake, error, outcome: .neutral)
        case let error as CallError: return .exchange(error, one)
        case is CancellationError: return TargetFailure(.cancelled, CallError(.cancelled, message: "the caller left"))
        default: return .broken(one.target, "could not be understood")
        }
    }

    private static func noEmbeddings(_ target: Target) -> TargetFailure {
        guard target.dialect == .anthropic else { return TargetFailure(.unsupported, ChatEncoding.notBuilt(target)) }
        return TargetFailure(
            .unsupported,
            CallError(
                .invalidArgument, reason: "invalid_request",
                message: "The provider '\(target.provider)' (dialect anthropic) makes no embeddings: name a model of another one."
            ))
    }
}
