import NIOCore

/// One end of a connection in memory. What is flushed arrives at the other end in the loop's next turn.
///
/// `@unchecked Sendable`: touched on the event loop only.
final class MemoryTransport: ByteTransport, @unchecked Sendable {
    private let pipe: FramePipe
    private var other: MemoryTransport?
    private var unsent: [ByteBuffer] = []

    private init(pipe: FramePipe) { self.pipe = pipe }

    /// Connects a client's pipe with a new one of the server.
    static func connect(_ client: FramePipe, _ server: ServerCore) {
        let accepted = FramePipe(eventLoop: client.eventLoop)
        let (near, far) = (MemoryTransport(pipe: client), MemoryTransport(pipe: accepted))
        (near.other, far.other) = (far, near)
        client.eventLoop.execute {
            server.accept(accepted, uid: nil)
            accepted.attach(far)
            client.attach(near)
        }
    }

    var isWritable: Bool { other != nil }
    var bufferedBytes: Int { 0 }

    func write(_ bytes: ByteBuffer) { unsent.append(bytes) }

    func flush() {
        guard let other, !unsent.isEmpty else { return }
        let sent = unsent
        unsent.removeAll(keepingCapacity: true)
        pipe.eventLoop.execute {
            for bytes in sent { other.pipe.receive(bytes) }
            other.pipe.readComplete()
        }
    }

    func closeAfterFlush() {
        flush()
        pipe.eventLoop.execute { self.close() }
    }

    func close() {
        guard let other else { return }
        self.other = nil
        other.other = nil
        pipe.eventLoop.execute { other.pipe.transportClosed("the peer closed the connection") }
    }
}
