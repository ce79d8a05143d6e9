import BulkheadCore
import BulkheadIPC
import BulkheadWire
import NIOCore

/// The incoming half of a stream of messages. One consumer.
package struct TypedReader<Message: WireMessage>: Sendable {
    private let reader: MessageReader
    /// Made where the message's type is known, so that it is no generic code.
    private let decode: @Sendable (ByteBuffer) throws -> Message

    /// Typed view of `reader`.
    package init(_ reader: MessageReader) {
        self.reader = reader
        decode = { try TypedCall.decode($0) }
    }

    /// The next message; nil after the last one of a stream that ended well.
    /// - Throws: `CallError` when the call failed, was cancelled or its deadline passed.
    package func next() async throws -> Message? {
        guard let bytes = try await reader.next() else { return nil }
        return try decode(bytes)
    }

    /// The next message if it is there already; nil when `next` has to be asked. Waits for nothing.
    /// - Throws: `CallError` for a message that cannot be decoded.
    package func nextIfReady() throws -> Message? {
        guard let bytes = reader.nextIfReady() else { return nil }
        return try TypedCall.decode(bytes)
    }

    /// Ends the wait of `next`, now and later, with CANCELLED.
    package func abandon() { reader.abandon() }
}

/// The outgoing half of a stream of messages, at the server.
package struct TypedWriter<Message: WireMessage>: Sendable {
    private let writer: MessageWriter
    /// As `TypedReader.decode`.
    private let encode: @Sendable (Message) throws -> ByteBuffer

    /// Typed view of `writer`.
    package init(_ writer: MessageWriter) {
        self.writer = writer
        encode = { try $0.encoded() }
    }

    /// Sends one message; waits while the peer grants no credit.
    /// - Throws: `CallError` when the call is over.
    package func write(_ message: Message) async throws { try await writer.write(encode(message)) }

    /// Sends one message if the peer takes it now; else it is dropped, as is one that cannot be encoded.
    package func offer(_ message: Message) {
        if let bytes = try? encode(message) { writer.offer(bytes) }
    }
}

/// The outgoing half of a stream of messages, at the client.
package struct ClientTypedWriter<Message: WireMessage>: Sendable {
    private let writer: ClientMessageWriter

    /// Typed view of `writer`.
    package init(_ writer: ClientMessageWriter) { self.writer = writer }

    /// Sends one message; waits while the peer grants no credit.
    /// - Throws: `CallError` when the call is over.
    package func write(_ message: Message) async throws { try await writer.write(message.encoded()) }

    /// Ends the wait of `write`, now and later, with CANCELLED.
    package func abandon() { writer.abandon() }

    /// Ends the request half.
    package func finish() { writer.finish() }
}

/// Between bytes and messages, with the status each failure has.
package enum TypedCall {
    /// A request a client sent. - Throws: INTERNAL `undecodable`: sender and receiver disagree on the schema.
    package static func request<Message: WireMessage>(_ bytes: ByteBuffer) throws -> Message { try decode(bytes) }

    /// A reply a server sent. - Throws: INTERNAL `undecodable`.
    package static func reply<Message: WireMessage>(_ bytes: ByteBuffer) throws -> Message { try decode(bytes) }

    /// The one request message of a server stream. - Throws: INTERNAL when there is none or more than one.
    package static func only<Message: WireMessage>(_ reader: MessageReader) async throws -> Message {
        guard let bytes = try await reader.next() else {
            throw CallError(.internal, reason: "missing_request", message: "the stream ended before its request message")
        }
        return try decode(bytes)
    }

    static func decode<Message: WireMessage>(_ bytes: ByteBuffer) throws -> Message {
        do {
            return try Message.decoded(bytes)
        } catch let error as WireError {
            throw CallError(
                .internal, reason: "undecodable",
                message:
                    "\(bytes.readableBytes) bytes are no \(Message.self) (\(error)): the peer runs another schema or is broken")
        }
    }
}

extension ServerMethod {
    /// The same unary method, answered on the event loop without a task wherever `now` gives an answer; on nil the handler is
    /// asked. `now` must not wait.
    package func first<Request: WireMessage, Reply: WireMessage>(
        _ now: @escaping @Sendable (Request) throws -> Reply?
    ) -> ServerMethod {
        guard case .unary(let later) = handler else { preconditionFailure("bug: \(descriptor.name) is not unary") }
        let name = descriptor.name
        return ServerMethod(
            descriptor,
            .eager(
                now: { bytes, _ in
                    do {
                        guard let reply = try now(try TypedCall.request(bytes)) else { return nil }
                        return .success(try reply.encoded())
                    } catch {
                        return .failure(
                            error as? CallError
                                ?? CallError(.unknown, message: "the handler of \(name) failed with \(type(of: error))"))
                    }
                }, later: later))
    }
}
