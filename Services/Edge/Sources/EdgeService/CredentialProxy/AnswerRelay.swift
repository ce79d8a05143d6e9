import BulkheadAPI
import BulkheadCore
import HTTPTypes
import NIOCore

/// The way of one answer from the credentials service to the client: head, body piece by piece, fields behind it. The next piece
/// is asked for when the client has taken the one before. Confined to the task of its connection.
final class AnswerRelay {
    /// The answer was passed on to its end.
    private(set) var isWhole = false
    private let exchange: Exchange
    private let destination: String
    private let caller: Caller
    private var copy: AnswerCopy?
    /// Runs before the client has the end of the answer.
    private let beforeEnd: (Int, ClaimFate) async -> Bool
    private var left: Int?
    private var hasEnded = false

    /// - Parameters:
    ///   - copy: where the answer is noted down on its way; nil: nowhere.
    ///   - beforeEnd: gets the status and what is to be kept; runs once, before the client has the whole answer. False: another
    ///     run has the Idempotency-Key.
    init(
        _ exchange: Exchange, _ destination: String, _ caller: Caller, copy: AnswerCopy? = nil,
        beforeEnd: @escaping (Int, ClaimFate) async -> Bool
    ) {
        self.exchange = exchange
        self.destination = destination
        self.copy = copy
        self.beforeEnd = beforeEnd
        self.caller = caller
    }

    /// - Throws: what went wrong; `AnswerBroken` after the head.
    func run(_ reader: TypedReader<CredentialsAPI.CallReply>) async throws {
        guard let first = try await reader.next(), let head = ForwardedAnswer.head(first) else { throw Self.noAnswer }
        do {
            try await pass(head, first, reader)
            isWhole = true
        } catch let error as CallError where exchange.reply.status != nil && !exchange.hasLeft {
            throw AnswerBroken(error: EdgeError(error, from: .credentials))
        }
    }

    private static let noAnswer = EdgeError(
        .badGateway, code: "upstream_error", message: "The destination sent no answer that ends. Try again.")

    private func pass(
        _ head: RelayedHead, _ first: CredentialsAPI.CallReply, _ reader: TypedReader<CredentialsAPI.CallReply>
    ) async throws {
        exchange.event.streamed = head.fields[.contentType]?.hasPrefix("text/event-stream") ?? false
        var shown = head
        shown.fields.append(HTTPField(name: .bulkheadDestination, value: destination))
        copy?.begin(shown)
        AnswerFields.addDegraded(caller.degraded, to: &shown.fields)
        AnswerFields.addLimits(caller.limits, relayed: head.status, to: &shown.fields)
        left = head.length
        let hasBody = head.hasBody && exchange.request.method != .HEAD
        let body = hasBody ? first.body ?? ByteBuffer() : ByteBuffer()
        try note(body)
        if !hasBody { left = 0 }
        if left == 0 { try await end(head.status) }
        try await exchange.reply.begin(shown, first: body)
        var trailers = first.trailers
        while let reply = try await reader.next() {
            if !reply.trailers.isEmpty { trailers = reply.trailers }
            guard hasBody, let piece = reply.body, piece.readableBytes > 0 else { continue }
            try note(piece)
            if left == 0 { try await end(head.status) }
            try await exchange.reply.write(piece)
        }
        guard (left ?? 0) == 0 else { throw Self.wrongLength }
        try await end(head.status)
        try await exchange.reply.finish(trailers: ForwardedAnswer.fields(trailers))
    }

    /// Counts a piece, before it is written.
    private func note(_ piece: ByteBuffer) throws {
        guard piece.readableBytes > 0 else { return }
        exchange.passedBytes += piece.readableBytes
        copy?.add(piece)
        guard let before = left else { return }
        guard piece.readableBytes <= before else { throw Self.wrongLength }
        left = before - piece.readableBytes
    }

    private static let wrongLength = CallError(
        .dataLoss, reason: "stream_broken", message: "The answer was not as long as its content-length said.")

    private func end(_ status: Int) async throws {
        guard !hasEnded else { return }
        hasEnded = true
        guard await beforeEnd(status, copy?.fate ?? .release) else {
            let error = IdempotencyRefusal.running()
            if exchange.reply.status == nil { throw error }
            throw AnswerBroken(error: error)
        }
    }
}
