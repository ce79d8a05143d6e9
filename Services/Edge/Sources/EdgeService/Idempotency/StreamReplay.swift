import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import HTTPTypes
import NIOCore

/// Gives the stream of an earlier request with the same Idempotency-Key again: what was kept, and while it still runs what is
/// added. Confined to the task of its connection.
final class StreamReplay {
    /// Where the client joins.
    struct Place: Sendable {
        var streamID: String
        /// Whose its Idempotency-Key is, as session says it.
        var owner: String
        /// The last event it has; 0: none.
        var after: Int
    }

    private let services: EdgeServices
    private let exchange: Exchange
    private let caller: Caller
    private let place: Place
    /// For what is not kept: an error, a sign of life.
    private let words: any ChatStream
    private var end: SessionAPI.StreamEnd?
    private var endsWithError = false

    init(_ services: EdgeServices, _ exchange: Exchange, _ caller: Caller, _ place: Place, _ words: any ChatStream) {
        self.services = services
        self.exchange = exchange
        self.caller = caller
        self.place = place
        self.words = words
    }

    /// - Parameter deadline: how long a stream that still runs is followed.
    @inline(never)
    func run(deadline: MonotonicTime, keepAlive: TimeAmount) async throws {
        do {
            try await follow(deadline, keepAlive)
        } catch let error as CallError where exchange.reply.status == nil && error.code == .notFound {
            // Its maker gave the key free meanwhile.
            throw IdempotencyRefusal.running()
        } catch let error as CallError where exchange.reply.status != nil && !exchange.hasLeft {
            return try await breakOff(EdgeError(error, from: .session))
        }
        guard let end else { return try await breakOff(Self.notWhole) }
        if end.truncated { return try await breakOff(Self.notKept) }
        if end.incomplete, !endsWithError { return try await breakOff(Self.notWhole) }
        exchange.connection.endKeepAlive()
        try await exchange.reply.finish()
    }

    private func follow(_ deadline: MonotonicTime, _ keepAlive: TimeAmount) async throws {
        let request = SessionAPI.ReadStreamRequest(
            tenant: caller.tenant, streamID: place.streamID, after: place.after, owner: place.owner)
        let options = CallOptions(deadline: deadline, metadata: exchange.metadata, waitForReady: .milliseconds(200))
        try await services.peers.session.readStream(request, options) { reader in
            while let reply = try await reader.next() {
                let bytes = pieces(reply)
                end = reply.end ?? end
                if exchange.reply.status == nil {
                    try await begin(reply.head ?? SessionAPI.StoredAnswer(), bytes)
                    exchange.reply.beginKeepAlive(words.keepAlive, every: keepAlive)
                } else {
                    try await exchange.reply.write(bytes)
                }
            }
        }
        if exchange.reply.status == nil { try await begin(SessionAPI.StoredAnswer(), ByteBuffer()) }
    }

    private func pieces(_ reply: SessionAPI.ReadStreamReply) -> ByteBuffer {
        var bytes = ReplyWriter.emptyPiece()
        for piece in reply.pieces {
            if let event = piece.bytes { bytes.writeImmutableBuffer(event) }
        }
        if let last = reply.pieces.last?.bytes { endsWithError = Self.isError(last) }
        if bytes.readableBytes > 0, exchange.event.firstTokenUS == nil { exchange.event.firstTokenUS = exchange.microseconds }
        return bytes
    }

    private func begin(_ head: SessionAPI.StoredAnswer, _ first: ByteBuffer) async throws {
        var fields = exchange.replayFields(head, caller)
        fields[.accelBuffering] = "no"
        let type = head.contentType.isEmpty ? "text/event-stream; charset=utf-8" : head.contentType
        try await exchange.reply.begin(head.status == 0 ? 200 : head.status, contentType: type, fields: fields, first: first)
    }

    /// Ends the stream with the dialect's error event, which is not of the recording and has no id.
    private func breakOff(_ error: EdgeError) async throws {
        exchange.connection.endKeepAlive()
        exchange.event.errorCode = error.code
        exchange.event.status = error.status
        guard exchange.reply.status != nil else { throw error }
        var last = ByteBuffer()
        words.fail(error, into: &last)
        try await exchange.reply.finish(last)
    }

    /// Whether an event says that the answer failed, in any of the dialects.
    private static func isError(_ event: ByteBuffer) -> Bool {
        let text = String(buffer: event.getSlice(at: event.readerIndex, length: min(event.readableBytes, 512)) ?? event)
        let body = text.drop { $0 != "\n" }.dropFirst()
        return ["data: {\"error\":", "event: error\n", "event: response.failed\n"].contains { body.hasPrefix($0) }
    }

    private static let notWhole = EdgeError(
        .badGateway, code: "stream_broken", message: "The answer broke off before it was complete.", shouldRetry: false)
    private static let notKept = EdgeError(
        .conflict, code: "response_not_retained",
        message: "The answer to the first request with this Idempotency-Key has more than is kept; it is not run again.",
        shouldRetry: false)
}
