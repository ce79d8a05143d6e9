import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import HTTPTypes
import NIOCore

/// Answers `/v1/embeddings`.
struct EmbeddingsEndpoint: Sendable {
    let services: EdgeServices

    func serve(_ exchange: Exchange) async throws {
        let body = try await exchange.body.read(limit: services.settings.current.maxJSON, exchange.reply)
        let call = try OpenAIEmbeddings(try RequestJSON.parse(body))
        exchange.event.alias = call.request.model
        let question = AdmissionRequest(
            route: Endpoint.embeddings.rawValue, method: exchange.request.method.rawValue, model: call.request.model,
            estimatedTokens: body.readableBytes / 4, body: body)
        switch try await services.admission.admit(question, exchange.request.headers, exchange.scope) {
        case .replay(let stored, let caller):
            exchange.identify(caller, endUser: call.request.endUser)
            try await exchange.replay(stored, caller)
        case .run(let caller):
            exchange.identify(caller, endUser: call.request.endUser)
            try await run(exchange, call, caller)
        }
    }

    private func run(_ exchange: Exchange, _ call: OpenAIEmbeddings, _ caller: Caller) async throws {
        var facts = AnswerFacts(degraded: caller.degraded)
        do {
            facts.overheadMilliseconds = exchange.milliseconds
            let deadline = exchange.deadline(limit: services.settings.current.requestTimeout, asked: nil)
            let answer = try await services.peers.router.embed(
                call.request, services.peers.routerOptions(exchange.metadata, deadline: deadline))
            let arrived = MonotonicTime.now()
            facts.served = answer.served ?? ChatAPI.Served()
            facts.degraded += facts.served.degraded.filter { !caller.degraded.contains($0) }
            facts.usage = ChatAPI.Usage(inputTokens: answer.inputTokens, costNanousd: answer.costNanousd)
            let encoded = call.encode(answer)
            facts.overheadMilliseconds += (MonotonicTime.now() - arrived).milliseconds
            var fields = AnswerFields.whole(facts)
            AnswerFields.addLimit(caller.requests, exchange.shape, to: &fields)
            let reply = WholeReply(status: 200, fields: fields, body: encoded)
            exchange.note(facts)
            if exchange.settlesNow() {
                await services.settlement.settle(caller, exchange.metadata, status: 200, usage: facts.usage, answer: reply)
            }
            try await exchange.reply.send(reply)
        } catch {
            let failure = exchange.translate(error, from: .router)
            let told = failure as? EdgeError
            let lasting = told.flatMap { [400, 404, 413, 422].contains($0.status) ? $0 : nil }
            if exchange.settlesNow() {
                await services.settlement.settle(
                    caller, exchange.metadata, status: told?.status ?? 0, usage: nil,
                    answer: lasting?.reply(exchange.shape, requestID: exchange.scope.id))
            }
            throw failure
        }
    }
}

/// Answers `/v1/models` and `/v1/models/{id}`.
struct ModelsEndpoint: Sendable {
    /// How long the list may take: clients that ask for it at their start wait no longer.
    private static let limit = Duration.seconds(3)

    let services: EdgeServices

    /// - Parameter name: the one model that is asked for; nil for all.
    func serve(_ exchange: Exchange, name: String?) async throws {
        let question = AdmissionRequest(
            route: Endpoint.models.rawValue, method: exchange.request.method.rawValue, counts: false)
        guard case .run(let caller) = try await services.admission.admit(question, exchange.request.headers, exchange.scope)
        else {
            throw EdgeError(.internal, message: "Session replayed a request that has no Idempotency-Key.")
        }
        exchange.identify(caller, endUser: nil)
        let models: [RouterAPI.Model]
        do {
            let options = services.peers.routerOptions(
                exchange.metadata, deadline: exchange.scope.startedAt + Self.limit, isIdempotent: true)
            models = try await services.peers.router.listModels(RouterAPI.ListModelsRequest(), options).models
        } catch {
            throw exchange.translate(error, from: .router)
        }
        var fields = HTTPFields()
        AnswerFields.addDegraded(caller.degraded, to: &fields)
        let isAnthropic = exchange.shape == .anthropic
        guard let name else {
            return try await exchange.reply.send(
                WholeReply(status: 200, fields: fields, body: ModelList.encode(models, isAnthropic: isAnthropic)))
        }
        guard let model = models.first(where: { $0.name == name }) else {
            throw EdgeError(
                .notFound, code: "model_not_found",
                message: "There is no model \(shown(name)). GET /v1/models lists those there are.",
                param: "model")
        }
        try await exchange.reply.send(
            WholeReply(status: 200, fields: fields, body: ModelList.encode(model, isAnthropic: isAnthropic)))
    }

    private func shown(_ name: String) -> String { name.count <= 100 ? name : "\(name.prefix(100))…" }
}
