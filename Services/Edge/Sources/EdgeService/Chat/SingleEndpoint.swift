import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadJSON
import BulkheadServiceKit
import HTTPTypes
import NIOCore

/// A request that one unary call of the router answers.
protocol SingleCall: Sendable {
    /// As the client named it; empty when it did not.
    var model: String { get }
    /// The end user the client names.
    var endUser: String? { get }
    /// Tokens this may cost.
    func estimatedTokens(bodyBytes: Int) -> Int
    /// Asks the router.
    func run(_ router: RouterClient, _ options: CallOptions) async throws -> SingleAnswer
}

/// The answer of such a call.
struct SingleAnswer: Sendable {
    var served: ChatAPI.Served?
    var usage: ChatAPI.Usage?
    /// When the router had answered.
    var arrived = MonotonicTime.now()
    /// In the dialect of the client.
    var body: ByteBuffer
}

/// Answers such a request: body → call → admission → router → answer → settlement.
struct SingleEndpoint: Sendable {
    let route: String
    let services: EdgeServices

    /// - Parameter decode: makes the call of the body and the headers.
    func serve<Call: SingleCall>(_ exchange: Exchange, _ decode: (JSON, RequestHeaders) throws -> Call) async throws {
        // Nobody without a key makes edge read and parse a body.
        try services.admission.requireKey(exchange.request.headers)
        let body: ByteBuffer
        let call: Call
        do {
            body = try await exchange.body.readDecoded(limit: services.settings.current.maxJSON, exchange.reply)
            call = try decode(try RequestJSON.parse(body), exchange.request.headers)
        } catch {
            throw await services.admission.verdict(on: error, exchange)
        }
        exchange.event.alias = call.model
        let question = AdmissionRequest(
            route: route, method: exchange.request.method.rawValue, model: call.model,
            estimatedTokens: call.estimatedTokens(bodyBytes: body.readableBytes), body: body,
            target: exchange.request.target, endUser: call.endUser)
        switch try await services.patience.admit(question, exchange) {
        case .replay(let stored, let caller):
            exchange.identify(caller, endUser: call.endUser)
            try await exchange.replay(stored, caller)
        case .attach: throw EdgeError(.internal, message: "Session has a stream for a route that has none.")
        case .run(let caller):
            exchange.identify(caller, endUser: call.endUser)
            do {
                try await run(exchange, call, caller)
            } catch {
                throw await failed(error, exchange, caller)
            }
        }
    }

    private func run(_ exchange: Exchange, _ call: some SingleCall, _ caller: Caller) async throws {
        var facts = AnswerFacts(degraded: caller.degraded, overheadMilliseconds: exchange.milliseconds)
        let deadline = exchange.deadline(limit: services.settings.current.requestTimeout, asked: nil)
        try await services.dispatch(exchange, caller)
        let answer = try await call.run(
            services.peers.router, services.peers.routerOptions(exchange.metadata, deadline: deadline))
        Failpoint.pass("edge.answered")
        facts.served = answer.served ?? ChatAPI.Served()
        facts.degraded += facts.served.degraded.filter { !caller.degraded.contains($0) }
        facts.usage = answer.usage
        facts.overheadMilliseconds += (MonotonicTime.now() - answer.arrived).milliseconds
        var fields = AnswerFields.whole(facts)
        AnswerFields.addLimits(caller.limits, exchange.shape, to: &fields)
        let reply = WholeReply(status: 200, fields: fields, body: answer.body)
        exchange.note(facts)
        if exchange.settlesNow() {
            let isHeld = await services.settlement.settle(
                caller, exchange.metadata, status: 200, usage: facts.usage, fate: .keep(ClaimFate.stored(reply)))
            guard isHeld else { throw IdempotencyRefusal.running() }
        }
        try await exchange.reply.send(reply)
    }

    /// What to tell the client about a failure; settles it.
    private func failed(_ error: any Error, _ exchange: Exchange, _ caller: Caller) async -> any Error {
        let failure = exchange.translate(error, from: .router)
        if exchange.settlesNow() {
            await services.settlement.settle(
                caller, exchange.metadata, status: (failure as? EdgeError)?.status ?? 0, fate: ClaimFate.after(failure, exchange))
        }
        return failure
    }
}
