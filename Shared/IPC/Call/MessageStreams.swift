import BulkheadCore
import NIOCore

/// The incoming half of a stream. One consumer. Credit goes back to the sender when a message is taken, so a consumer that
/// stops reading stops the sender (flow control), and never the other streams of the connection.
package struct MessageReader: Sendable {
    let inbound: InboundMessages

    /// The next message; nil after the last one of a stream that ended well.
    /// - Throws: `CallError` when the call failed, was cancelled or its deadline passed.
    package func next() async throws -> ByteBuffer? { try await inbound.next() }

    /// The next message if it is there already; nil when `next` has to be asked: it may be later, the end, an error, or a
    /// caller off the connection's event loop.
    package func nextIfReady() -> ByteBuffer? { inbound.nextIfReady() }

    /// Ends the wait of `next`, now and later, with CANCELLED: whoever opened the stream gives it up without leaving its task.
    package func abandon() {
        let inbound = inbound
        inbound.onLoop { $0.finish(.failure(.cancelledByCaller), isAbandoned: true) }
    }
}

/// The outgoing half of a stream.
package struct MessageWriter: Sendable {
    let outbound: OutboundMessages

    /// Sends one message; waits while the peer grants no credit.
    /// - Throws: `CallError` when the call is over (cancelled by the peer, deadline, lost connection).
    package func write(_ message: ByteBuffer) async throws { try await outbound.write(message) }

    /// Sends one message if the peer takes it now; else it is dropped.
    package func offer(_ message: ByteBuffer) {
        let outbound = outbound
        outbound.onLoop { $0.offer(message) }
    }
}

/// The request half of a stream a client opened.
package struct ClientMessageWriter: Sendable {
    let outbound: OutboundMessages

    /// Sends one message; waits while the peer grants no credit.
    package func write(_ message: ByteBuffer) async throws { try await outbound.write(message) }
    /// Ends the wait of `write`, now and later, with CANCELLED.
    package func abandon() {
        let outbound = outbound
        outbound.onLoop { $0.close(.cancelledByCaller) }
    }

    /// Ends the request half. Further writes are a programming error.
    package func finish() {
        let outbound = outbound
        outbound.onLoop { $0.finish() }
    }
}
