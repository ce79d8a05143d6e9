import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadJSON
import Glibc
import NIOCore

/// Has texts judged by a provider's moderation model. Request and answer travel in OpenAI's form, which is the only one there is.
package struct ModerationExecution: Sendable {
    package let exchange: UpstreamExchange
    package let failover: Failover

    /// The largest answer that is read.
    private static let maxAnswer = 8 << 20

    package init(exchange: UpstreamExchange, failover: Failover) {
        self.exchange = exchange
        self.failover = failover
    }

    package func run(_ request: RouterAPI.ModerateRequest, _ settings: RouterSettings, _ call: ServerCall) async throws
        -> RouterAPI.ModerateReply
    {
        guard let bytes = request.body, let body = (try? JSON.parse(bytes))?.object else {
            throw CallError(.invalidArgument, reason: "invalid_request", message: "The request's body is no JSON object.")
        }
        let route = try ModerationRoute.find(request.model, settings)
        let deadline = RequestDeadline(caller: call.deadline, total: route.timeouts.total, now: .now())
        let plan = Failover.Plan(
            route, deadline: deadline, clientRetries: 0, catalog: settings.accounting.catalog,
            requestID: call.metadata.requestID)
        do {
            return try await failover.run(plan) { one in
                let watchdog = Watchdog(eventLoop: failover.eventLoop, limit: one.route.timeouts.firstToken)
                let outcome = await attempt(body, one, call.metadata, watchdog)
                guard case .answered(var reply) = outcome else { return outcome }
                reply.usage = settings.accounting.usage(moderating: body["input"], target: one.target)
                return .answered(reply)
            }
        } catch let all as AllFailed {
            throw all.told
        }
    }

    private func attempt(
        _ body: JSONObject, _ one: Try, _ metadata: CallMetadata, _ watchdog: Watchdog
    ) async -> TryOutcome<RouterAPI.ModerateReply> {
        guard [.openai, .openaiResponses].contains(one.target.dialect) else {
            return .failed(
                TargetFailure(
                    .unsupported,
                    CallError(
                        .invalidArgument, reason: "invalid_request",
                        message: "The provider '\(one.target.provider)' (dialect \(one.target.dialect.rawValue)) moderates "
                            + "nothing: name a model of a provider with the dialect openai.")))
        }
        do {
            return .answered(try await ask(body, one, metadata, watchdog))
        } catch {
            if watchdog.hasExpired { return .failed(exchange.silence(one, after: watchdog.limit)) }
            return .failed(Self.failure(of: error, one))
        }
    }

    private func ask(_ body: JSONObject, _ one: Try, _ metadata: CallMetadata, _ watchdog: Watchdog) async throws
        -> RouterAPI.ModerateReply
    {
        var body = body
        body["model"] = .string(one.target.model)
        let upstream = UpstreamRequest(path: "/v1/moderations", body: JSON.object(body).bytes(), expectsStream: false)
        let options = CallOptions(deadline: one.deadline.time, metadata: metadata)
        return try await exchange.perform(upstream, one.target, connectTimeout: one.route.timeouts.connect, options, watchdog) {
            head, body in
            guard let bytes = try await body.whole(limit: Self.maxAnswer) else {
                throw TargetFailure.broken(one.target, "sent an answer larger than \(Self.maxAnswer >> 20) MiB")
            }
            guard head.isSuccess else {
                throw ProviderError(status: head.status, headers: head.headers, body: bytes).failure(one.target)
            }
            guard let answer = try? JSON.parse(bytes), answer["results"]?.array != nil else {
                throw TargetFailure.broken(one.target, "answered 200 without results")
            }
            let served = ChatAPI.Served(
                provider: one.target.provider, model: one.target.model, attempts: one.number, cache: .off,
                degraded: one.degraded, created: time(nil))
            return RouterAPI.ModerateReply(body: answer.bytes(), served: served)
        }
    }

    private static func failure(of error: any Error, _ one: Try) -> TargetFailure {
        switch error {
        case let failure as TargetFailure: failure
        case let error as CallError: .exchange(error, one)
        case is CancellationError: TargetFailure(.cancelled, CallError(.cancelled, message: "the caller left"))
        default: .broken(one.target, "could not be understood")
        }
    }
}

/// Where moderations go.
package enum ModerationRoute {
    /// The model that is asked when the client names none.
    package static let standardModel = "omni-moderation-latest"
    /// What OpenAI's moderation models are called.
    package static let prefixes = ["omni-moderation", "text-moderation"]

    /// The route of `model`. OpenAI's own names, and no name at all, lead to the first provider of that dialect which serves all of
    /// its names.
    /// - Throws: NOT_FOUND `model_not_found`.
    package static func find(_ model: String, _ settings: RouterSettings) throws -> Route {
        let name = model.isEmpty ? standardModel : model
        do {
            return try settings.table.route(name)
        } catch {
            guard prefixes.contains(where: { name.hasPrefix($0) }) else { throw error }
            guard let provider = settings.configuration.providers.first(where: { $0.dialect == .openai && $0.serve == .all })
            else { throw model.isEmpty ? nobody : error }
            let target = Target(
                provider: provider.name, destination: provider.destination, dialect: provider.dialect, model: name)
            return Route(alias: name, targets: [target])
        }
    }

    private static let nobody = CallError(
        .notFound, reason: "model_not_found",
        message: "No provider here moderates: name a configured model, or set up a provider with dialect openai and serve: all.")
}
