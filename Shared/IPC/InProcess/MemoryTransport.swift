import DequeModule
import NIOCore

/// One end of a connection in memory. What is flushed arrives at the other end in the loop's next turns, a piece a turn, so
/// that much of it does not hold up the loop.
///
/// `@unchecked Sendable`: touched on the event loop only.
final class MemoryTransport: ByteTransport, @unchecked Sendable {
    private static let turnBytes = 1 << 20

    private let pipe: FramePipe
    private var other: MemoryTransport?
    private var unsent: Deque<ByteBuffer> = []
    private var isDelivering = false
    private var closesWhenSent = false

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

    func writeNow(_ bytes: ByteBuffer) { write(bytes) }

    func flush() {
        guard other != nil, !unsent.isEmpty, !isDelivering else { return }
        isDelivering = true
        pipe.eventLoop.execute { self.deliver() }
    }

    private func deliver() {
        isDelivering = false
        guard let other else { return unsent.removeAll() }
        var left = Self.turnBytes
        while left > 0, let bytes = unsent.popFirst() {
            left -= bytes.readableBytes
            other.pipe.receive(bytes)
        }
        other.pipe.readComplete()
        flush()
        if closesWhenSent, unsent.isEmpty { close() }
    }

    /// Never asked to: memory is always writable, so that there is no backlog.
    func setReading(_ isOn: Bool) {}

    func closeAfterFlush() {
        closesWhenSent = true
        if unsent.isEmpty { close() } else { flush() }
    }

    func close() {
        guard let other else { return }
        self.other = nil
        other.other = nil
        pipe.eventLoop.execute { other.pipe.transportClosed("the peer closed the connection") }
    }
}
