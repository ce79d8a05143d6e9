import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import HTTPTypes
import NIOCore

/// Answers `/v1/proxy/{destination}/{path…}`: key → permission → credentials → answer, the bodies streamed both ways.
struct ProxyEndpoint: Sendable {
    /// Announced bodies up to this size travel with the request's head; longer ones, and chunked ones, as they come.
    private static let wholeBytes = 64 << 10
    /// How long a client may take to read the end of an answer whose deadline has passed.
    private static let lastWords = Duration.seconds(10)

    let services: EdgeServices

    /// - Parameter name: of the destination, as it stands in the path.
    func serve(_ exchange: Exchange, _ name: String) async throws {
        let caller = try await admit(exchange, name)
        do {
            let deadline = exchange.deadline(limit: services.settings.current.requestTimeout, asked: nil)
            exchange.connection.close(after: deadline - .now() + Self.lastWords)
            let options = services.peers.credentialsOptions(exchange.metadata, deadline: deadline)
            try await run(exchange, name, caller, options)
        } catch {
            let failure = services.destinations.translate(error, name, exchange)
            await settle(exchange, caller, status: (failure as? EdgeError)?.status ?? 0)
            throw failure
        }
    }

    @inline(never)
    private func admit(_ exchange: Exchange, _ name: String) async throws -> Caller {
        if let upgrade = exchange.request.headers[.upgrade], upgrade.lowercased() != "h2c" {
            throw EdgeError(
                .badRequest, code: "unsupported",
                message: "A proxied request cannot change its protocol: send it without Upgrade.")
        }
        var question = AdmissionRequest(route: exchange.route, method: exchange.request.method.rawValue)
        question.deduplicates = false
        guard case .run(let caller) = try await services.patience.admit(question, exchange)
        else {
            throw EdgeError(.internal, message: "Session replayed a request that is not deduplicated.")
        }
        exchange.identify(caller, endUser: nil)
        exchange.event.provider = services.destinations.knows(name) ? name : ""
        do {
            try services.destinations.check(name, allowed: caller.destinations)
        } catch {
            await settle(exchange, caller, status: error.status)
            throw error
        }
        return caller
    }

    @inline(never)
    private func run(_ exchange: Exchange, _ name: String, _ caller: Caller, _ options: CallOptions) async throws {
        let place = ForwardedRequest.place(exchange.request.target)
        let key = Admission.key(exchange.request.headers)
        var message = CredentialsAPI.CallRequest(
            destination: name, method: exchange.request.method.rawValue, path: place.path, query: place.query,
            headers: ForwardedRequest.headers(exchange.request.headers.fields, key: key))
        let limit = services.settings.current.maxUpload
        let isWhole = !exchange.body.isChunked && (exchange.body.announced ?? 0) <= Self.wholeBytes
        if isWhole {
            let body = try await exchange.body.read(limit: Self.wholeBytes, exchange.reply)
            exchange.takenBytes = body.readableBytes
            if body.readableBytes > 0 { message.body = body }
        }
        let relay = AnswerRelay(exchange, name, caller) { status, _ in
            await settle(exchange, caller, status: status)
            return true
        }
        exchange.event.overheadUS = exchange.microseconds
        try await services.peers.credentials.call(options) { writer, reader in
            // A destination may answer before it has the whole request; its answer says more than the failed write.
            let refusal = await Self.send(message, writer, isLast: isWhole)
            do {
                guard refusal == nil, !isWhole else { return try await relay.run(reader) }
                try await stream(exchange, limit, relay, writer, reader)
            } catch let error as CallError {
                throw error
            } catch {
                throw refusal ?? error
            }
        }
    }

    private static func send(
        _ message: CredentialsAPI.CallRequest, _ writer: ClientTypedWriter<CredentialsAPI.CallRequest>, isLast: Bool
    ) async -> (any Error)? {
        do {
            try await writer.write(message)
        } catch {
            return error
        }
        if isLast { writer.finish() }
        return nil
    }

    /// Passes the body on beside the answer.
    @inline(never)
    private func stream(
        _ exchange: Exchange, _ limit: Int, _ relay: AnswerRelay, _ writer: ClientTypedWriter<CredentialsAPI.CallRequest>,
        _ reader: TypedReader<CredentialsAPI.CallReply>
    ) async throws {
        let upload = BodyUpload(exchange, limit: limit)
        // All tasks of this process run on its one event loop.
        let shared = NIOLoopBound(upload, eventLoop: ProcessRuntime.eventLoop)
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await shared.value.run(writer, reader) }
                defer {
                    writer.abandon()
                    exchange.connection.interruptReading()
                }
                try await relay.run(reader)
            }
        } catch let error as CallError {
            throw upload.failure ?? error
        }
    }

    private func settle(_ exchange: Exchange, _ caller: Caller, status: Int) async {
        guard exchange.settlesNow() else { return }
        await services.settlement.settle(caller, exchange.metadata, status: status)
    }
}
