import DequeModule
import NIOCore

/// Long messages on their way out, a fragment of one after a fragment of another, so that none holds up the rest.
///
/// A stream with a long message has a lane; whatever the stream sends after it queues behind it. At most four lanes move at
/// a time, which bounds the half-received messages at the other end; the others wait their turn. The bytes are those of the
/// callers' buffers, not copies.
struct OutboundLanes {
    private static let moving = 4

    private struct Lane {
        var frames: Deque<(header: FrameHeader, payload: ByteBuffer)> = []
    }

    private var lanes: [UInt32: Lane] = [:]
    private var active: Deque<UInt32> = []
    private var waiting: Deque<UInt32> = []
    /// Unsent payload bytes.
    private(set) var bytes = 0

    var isEmpty: Bool { lanes.isEmpty }

    /// The stream must send through its lane to keep its order.
    func holds(_ stream: UInt32) -> Bool { !lanes.isEmpty && lanes[stream] != nil }

    mutating func append(_ header: FrameHeader, _ payload: ByteBuffer) {
        bytes += payload.readableBytes
        if lanes[header.stream] == nil {
            if active.count < Self.moving { active.append(header.stream) } else { waiting.append(header.stream) }
        }
        lanes[header.stream, default: Lane()].frames.append((header, payload))
    }

    mutating func drop(_ stream: UInt32) {
        guard let lane = lanes.removeValue(forKey: stream) else { return }
        bytes -= lane.frames.reduce(0) { $0 + $1.payload.readableBytes }
        if let place = active.firstIndex(of: stream) {
            active.remove(at: place)
            promote()
        } else if let place = waiting.firstIndex(of: stream) {
            waiting.remove(at: place)
        }
    }

    /// The next frame to write, its length set.
    mutating func next() -> (header: FrameHeader, payload: ByteBuffer)? {
        guard let stream = active.popFirst() else { return nil }
        guard let first = lanes[stream]?.frames.first else { return nil }
        var (header, payload) = first
        let length = payload.readableBytes
        if length > FrameLimits.fragmentBytes {
            header.flags = .more
            header.aux = UInt32(clamping: length)
        }
        let piece = payload.readSlice(length: min(length, FrameLimits.fragmentBytes)) ?? ByteBuffer()
        header.length = UInt32(piece.readableBytes)
        bytes -= piece.readableBytes
        if payload.readableBytes > 0 {
            lanes[stream]?.frames[0].payload = payload
        } else {
            _ = lanes[stream]?.frames.popFirst()
        }
        if lanes[stream]?.frames.isEmpty == true {
            lanes[stream] = nil
            promote()
        } else {
            active.append(stream)
        }
        return (header, piece)
    }

    private mutating func promote() {
        if active.count < Self.moving, let stream = waiting.popFirst() { active.append(stream) }
    }
}
