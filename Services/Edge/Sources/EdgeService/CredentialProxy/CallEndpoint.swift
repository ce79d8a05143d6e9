import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import HTTPTypes
import NIOCore

/// Answers `/v1/call/{destination}`: body → key and Idempotency-Key → permission → credentials → answer, streamed.
struct CallEndpoint: Sendable {
    /// How long a client may take to read the end of an answer whose deadline has passed.
    private static let lastWords = Duration.seconds(10)

    let services: EdgeServices

    /// - Parameter name: of the destination, as it stands in the path.
    func serve(_ exchange: Exchange, _ name: String) async throws {
        // Nobody without a key makes edge read and parse a body.
        try services.admission.requireKey(exchange.request.headers)
        guard let (message, caller) = try await admitted(exchange, name) else { return }
        do {
            try services.destinations.check(name, allowed: caller.destinations)
            try await run(exchange, name, message, caller)
        } catch {
            let failure = services.destinations.translate(error, name, exchange)
            let fate = ClaimFate.after(failure, exchange)
            _ = await settle(exchange, caller, status: (failure as? EdgeError)?.status ?? 0, fate)
            throw failure
        }
    }

    /// - Returns: nil when the answer of an earlier request was given again.
    @inline(never)
    private func admitted(_ exchange: Exchange, _ name: String) async throws -> (CredentialsAPI.CallRequest, Caller)? {
        let body: ByteBuffer
        var message: CredentialsAPI.CallRequest
        do {
            body = try await exchange.body.readDecoded(limit: services.settings.current.maxJSON, exchange.reply)
            message = try DescribedCall.decode(try RequestJSON.parse(body))
        } catch {
            throw await services.admission.verdict(on: error, exchange)
        }
        message.destination = name
        exchange.takenBytes = body.readableBytes
        exchange.event.provider = services.destinations.knows(name) ? name : ""
        let question = AdmissionRequest(
            route: exchange.route, method: exchange.request.method.rawValue, body: body,
            target: exchange.request.target, subject: "\n" + name)
        switch try await services.patience.admit(question, exchange) {
        case .run(let caller):
            exchange.identify(caller, endUser: nil)
            return (message, caller)
        case .replay(let stored, let caller):
            exchange.identify(caller, endUser: nil)
            try services.destinations.check(name, allowed: caller.destinations)
            var answer = AnswerCopy.replay(stored, caller.degraded)
            AnswerFields.addLimits(caller.limits, relayed: answer.head.status, to: &answer.head.fields)
            try await exchange.reply.begin(answer.head, first: answer.body)
            try await exchange.reply.finish()
            return nil
        case .attach: throw EdgeError(.internal, message: "Session has a stream for a route that has none.")
        }
    }

    @inline(never)
    private func run(
        _ exchange: Exchange, _ name: String, _ message: CredentialsAPI.CallRequest, _ caller: Caller
    ) async throws {
        let deadline = exchange.deadline(limit: services.settings.current.requestTimeout, asked: nil)
        exchange.connection.close(after: deadline - .now() + Self.lastWords)
        let copy = caller.isIdempotent ? AnswerCopy() : nil
        let relay = AnswerRelay(exchange, name, caller, copy: copy) { status, fate in
            Failpoint.pass("edge.answered")
            return await settle(exchange, caller, status: status, fate)
        }
        try await services.dispatch(exchange, caller)
        let options = services.peers.credentialsOptions(exchange.metadata, deadline: deadline)
        exchange.event.overheadUS = exchange.microseconds
        try await services.peers.credentials.call(options) { writer, reader in
            try await Self.send(message, writer)
            try await relay.run(reader)
        }
    }

    /// Bytes of a body that travel in one message.
    private static let pieceBytes = 1 << 20

    private static func send(
        _ message: CredentialsAPI.CallRequest, _ writer: ClientTypedWriter<CredentialsAPI.CallRequest>
    ) async throws {
        var (message, rest) = (message, message.body ?? ByteBuffer())
        message.body = nil
        do {
            repeat {
                let piece = rest.readSlice(length: min(pieceBytes, rest.readableBytes))
                message.body = piece.flatMap { $0.readableBytes > 0 ? $0 : nil }
                try await writer.write(message)
                message = CredentialsAPI.CallRequest()
            } while rest.readableBytes > 0
            writer.finish()
        } catch is CallError {
            // A destination may answer before it has the whole request: its answer, or the call's error, says more.
        }
    }

    private func settle(_ exchange: Exchange, _ caller: Caller, status: Int, _ fate: ClaimFate) async -> Bool {
        guard exchange.settlesNow() else { return true }
        return await services.settlement.settle(caller, exchange.metadata, status: status, fate: fate)
    }
}
