import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import HTTPTypes
import NIOCore

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
            models = try await services.peers.router.listModels(RouterAPI.ListModelsRequest(name: name), options).models
        } catch {
            throw exchange.translate(error, from: .router)
        }
        var fields = HTTPFields()
        AnswerFields.addDegraded(caller.degraded, to: &fields)
        let isAnthropic = exchange.shape == .anthropic
        guard let name else {
            let page = try ModelPage(models, isAnthropic ? Routes.query(of: exchange.request.target) : [:])
            return try await exchange.reply.send(
                WholeReply(status: 200, fields: fields, body: ModelList.encode(page, isAnthropic: isAnthropic)))
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
