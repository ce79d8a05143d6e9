public import BulkheadCore
public import NIOCore

/// The incoming half of a stream. One consumer. Credit goes back to the sender when a message is taken, so a consumer that
/// stops reading stops the sender (flow control), and never the other streams of the connection.
package struct MessageReader: Sendable {
    /// The next message; nil after the last one of a stream that ended well.
    /// - Throws: `CallError` when the call failed, was cancelled or its deadline passed.
    package func next() async throws -> ByteBuffer? { fatalError("pending") }
}

/// The outgoing half of a stream.
package struct MessageWriter: Sendable {
    /// Sends one message; waits while the peer grants no credit.
    /// - Throws: `CallError` when the call is over (cancelled by the peer, deadline, lost connection).
    package func write(_ message: ByteBuffer) async throws { fatalError("pending") }
}
