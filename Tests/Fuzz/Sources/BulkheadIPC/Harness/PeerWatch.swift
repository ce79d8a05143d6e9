import NIOCore

/// Looks at what the end under test sends: whatever it was sent, it keeps the protocol itself.
final class PeerWatch {
    /// Frames of the protocol beyond a header at most.
    private static let payloadBytes: UInt32 = 128 << 10
    private static let (hello, helloAck, request, message, status): (UInt8, UInt8, UInt8, UInt8, UInt8) = (1, 2, 3, 4, 6)
    private static let (cancel, credit, error): (UInt8, UInt8, UInt8) = (7, 8, 0x0e)

    private let side: HostileScript.Side
    private var bytes = ByteBuffer()
    private var count = 0
    private var isOver = false
    /// Streams on which nothing may follow.
    private var ended: Set<UInt32> = []
    private var lastStream: UInt32 = 0

    /// - Parameter side: what the peer is, not the end under test.
    init(_ side: HostileScript.Side) { self.side = side }

    func saw(_ new: ByteBuffer) {
        bytes.writeImmutableBuffer(new)
        while let frame = next() { check(frame) }
        bytes.discardReadBytes()
    }

    private func next() -> (type: UInt8, flags: UInt8, stream: UInt32)? {
        guard let length = bytes.getInteger(at: bytes.readerIndex, endianness: .little, as: UInt32.self) else { return nil }
        guard length <= Self.payloadBytes else { found("a frame of \(length) bytes was sent") }
        guard bytes.readableBytes >= 16 + Int(length),
            let type = bytes.getInteger(at: bytes.readerIndex + 4, as: UInt8.self),
            let flags = bytes.getInteger(at: bytes.readerIndex + 5, as: UInt8.self),
            let stream = bytes.getInteger(at: bytes.readerIndex + 8, endianness: .little, as: UInt32.self)
        else { return nil }
        bytes.moveReaderIndex(forwardBy: 16 + Int(length))
        return (type, flags, stream)
    }

    private func check(_ frame: (type: UInt8, flags: UInt8, stream: UInt32)) {
        if isOver { found("frame \(frame) after ERROR") }
        defer { count += 1 }
        switch frame.type {
        case Self.error: isOver = true
        case Self.hello, Self.helloAck:
            guard count == 0, frame.type == (side == .client ? Self.helloAck : Self.hello) else { found("odd greeting \(frame)") }
        case Self.request:
            guard side == .server, frame.stream & 1 == 1, frame.stream > lastStream else { found("odd request \(frame)") }
            lastStream = frame.stream
        case Self.message, Self.credit, Self.status, Self.cancel: checkStream(frame)
        default: break
        }
        if count == 0, ![Self.hello, Self.helloAck, Self.error].contains(frame.type) { found("\(frame) before the greeting") }
    }

    private func checkStream(_ frame: (type: UInt8, flags: UInt8, stream: UInt32)) {
        if side == .server, frame.stream > lastStream { found("\(frame) on a stream that was never opened") }
        if ended.contains(frame.stream) { found("\(frame) after the end of its stream") }
        guard frame.type == Self.status || frame.type == Self.cancel else { return }
        guard (frame.type == Self.status) == (side == .client) else { found("\(frame) is the other side's to send") }
        ended.insert(frame.stream)
    }
}
