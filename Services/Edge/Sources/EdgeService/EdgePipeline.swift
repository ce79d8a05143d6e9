import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit
import HTTPTypes
import Logging
import NIOCore

/// The way of every request through edge, in one place and in order. The same for all routes, dialects and streams.
final class EdgePipeline: Sendable {
    /// Which address a request came in on.
    enum Door: Sendable {
        case clients, operators
    }

    private let services: EdgeServices
    private let operations: Operations
    private let metrics: EdgeMetrics
    private let context: ServiceContext

    init(services: EdgeServices, operations: Operations, metrics: EdgeMetrics, context: ServiceContext) {
        self.services = services
        self.operations = operations
        self.metrics = metrics
        self.context = context
    }

    /// The places of running requests, and the line before them.
    var gate: RequestGate { services.gate }

    /// Answers one request.
    /// - Throws: when the connection is to be closed.
    func respond(_ request: ClientRequest, _ connection: EdgeConnection, _ door: Door) async throws {
        // 1. An id and a trace: from here on every answer, whatever becomes of the request, carries them.
        let exchange = Exchange(request, connection)
        try await connection.serve {
            do {
                try await answer(exchange, door)
            } catch {
                try await refuse(exchange, error)
            }
            finish(exchange)
            // The body of a request that was answered early is read no further than it is worth.
            try await exchange.body.discard()
        }
    }

    private func answer(_ exchange: Exchange, _ door: Door) async throws {
        // 2. A route.
        guard let match = Routes.match(exchange.path), operations.isServed(match.endpoint, at: door) else {
            throw unknownRoute(exchange)
        }
        exchange.route = match.endpoint.rawValue
        exchange.event.route = match.endpoint.rawValue
        if exchange.request.method == .OPTIONS, match.endpoint.methods != .any {
            return try await tellMethods(exchange, match.endpoint)
        }
        try checkMethod(exchange, match.endpoint)
        // 3. Probes and metrics answer whatever the load is.
        if try await operations.answer(match.endpoint, exchange) { return }
        // 4. A place among the running requests, waited for in a bounded line that is fair to tenants.
        let kind = match.endpoint.requestClass
        try await gate.enter(kind) {
            (
                services.admission.flow(exchange.request.headers),
                exchange.deadline(limit: services.settings.current.requestTimeout, asked: nil)
            )
        }
        (exchange.place, exchange.holdsPlace) = (kind, true)
        defer { if exchange.holdsPlace { gate.leave(kind) } }
        // 5. Body within its limit, JSON, key and limits, router, answer, settlement: by endpoint. A key that is no good is told
        // before what is wrong with the body.
        if match.endpoint == .proxy { return try await ProxyEndpoint(services: services).serve(exchange, match.argument) }
        guard let dialect = Self.dialect(of: match.endpoint) else { return try await dispatch(match, exchange) }
        try await ChatEndpoint(route: match.endpoint.rawValue, dialect: dialect, services: services).serve(exchange)
    }

    /// The dialect of a route for chat; nil for others. Chat is not dispatched below: its tasks can wait long, and would keep
    /// what the other endpoints need.
    private static func dialect(of endpoint: Endpoint) -> (any ChatDialect)? {
        switch endpoint {
        case .chat: OpenAIChat()
        case .responses: ResponsesChat()
        case .messages: AnthropicChat()
        default: nil
        }
    }

    @inline(never)
    private func dispatch(_ match: RouteMatch, _ exchange: Exchange) async throws {
        switch match.endpoint {
        case .countTokens: try await single(match.endpoint).serve(exchange, AnthropicTokenCount.init)
        case .embeddings: try await single(match.endpoint).serve(exchange, OpenAIEmbeddings.init)
        case .moderations: try await single(match.endpoint).serve(exchange, OpenAIModerations.init)
        case .models: try await ModelsEndpoint(services: services).serve(exchange, name: nil)
        case .model: try await ModelsEndpoint(services: services).serve(exchange, name: match.argument)
        case .call: try await CallEndpoint(services: services).serve(exchange, match.argument)
        case .destinations: try await DestinationList(services: services).serve(exchange)
        case .chat, .responses, .messages, .proxy, .health, .ready, .metrics, .contract:
            preconditionFailure("bug: \(match.endpoint.rawValue) was answered elsewhere")
        }
    }

    private func single(_ endpoint: Endpoint) -> SingleEndpoint { SingleEndpoint(route: endpoint.rawValue, services: services) }

    /// Tells the client what failed, if it is still there and was told nothing yet.
    private func refuse(_ exchange: Exchange, _ error: any Error) async throws {
        let failure = exchange.translate(error, from: .session)
        if let broken = failure as? AnswerBroken {
            // The client learns of it from the connection's end.
            exchange.event.status = broken.error.status
            exchange.event.errorCode = broken.error.code
            finish(exchange)
            throw broken
        }
        guard exchange.reply.status == nil, !(failure is ClientLeft) else {
            exchange.event.status = 499
            exchange.event.errorCode = "client_left"
            finish(exchange)
            throw failure
        }
        var limits = exchange.limits
        let told: EdgeError
        switch failure {
        case let failure as EdgeError: told = failure
        case let failure as RefusedAtLimit: (told, limits) = (failure.error, failure.limits)
        default:
            context.logger.error(
                "a request failed unexpectedly", metadata: ["request": "\(exchange.scope.id)", "error": "\(error)"])
            told = EdgeError(.internal, message: "The server failed on this request. The request id finds it in the logs.")
        }
        exchange.event.errorCode = told.code
        let degraded = exchange.event.degraded + told.degraded.filter { !exchange.event.degraded.contains($0) }
        exchange.event.degraded = degraded
        var reply = told.reply(exchange.shape, requestID: exchange.scope.id)
        AnswerFields.addLimits(limits, exchange.shape, to: &reply.fields)
        AnswerFields.addDegraded(degraded, to: &reply.fields)
        try await exchange.reply.send(reply)
    }

    /// Counts the request, and tells telemetry about all but probes.
    private func finish(_ exchange: Exchange) {
        let microseconds = exchange.microseconds
        if exchange.event.status == 0 { exchange.event.status = exchange.reply.status ?? 499 }
        exchange.event.durationUS = microseconds
        metrics.record(
            route: exchange.route, dialect: exchange.shape.rawValue, status: exchange.event.status, microseconds: microseconds)
        metrics.record(to: exchange.takenBytes, from: exchange.passedBytes)
        guard exchange.route.hasPrefix("/v1/") else { return }
        guard let leaver = exchange.leaver else { return context.telemetry.emit(exchange.event) }
        services.settlement.settleLeft(leaver, exchange.metadata, exchange.event, fate: exchange.leaverFate)
    }

    private func checkMethod(_ exchange: Exchange, _ endpoint: Endpoint) throws {
        let method = exchange.request.method
        switch endpoint.methods {
        case .get where method == .GET || method == .HEAD: return
        case .post where method == .POST: return
        // These two speak to a proxy itself.
        case .any where method != .CONNECT && method != .TRACE: return
        default: break
        }
        throw EdgeError(
            .methodNotAllowed, message: "\(endpoint.rawValue) does not answer \(method.rawValue); it answers \(endpoint.allow).",
            allow: endpoint.allow)
    }

    /// What OPTIONS asks for.
    private func tellMethods(_ exchange: Exchange, _ endpoint: Endpoint) async throws {
        try await exchange.reply.send(
            WholeReply(status: 200, fields: [.allow: "\(endpoint.allow), OPTIONS"], body: ByteBuffer()))
    }

    private func unknownRoute(_ exchange: Exchange) -> EdgeError {
        EdgeError(
            .notFound, code: "unknown_route",
            message: "There is no such route here. `bulkhead-edge routes` lists those there are.")
    }
}
