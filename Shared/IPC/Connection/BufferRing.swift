import NIOCore

/// Memory for short messages that are taken out of the read buffer: what a message leaves behind serves a later one.
///
/// A message that is kept longer than `slots` others take to come by keeps its memory; its slot gets a new buffer.
struct BufferRing {
    /// Messages up to this size are copied, so that keeping one does not keep the whole read buffer.
    static let copiedBytes = 8 << 10
    private static let slots = 16

    private var ring: [ByteBuffer] = []
    private var next = 0

    /// A message in memory of its own, or as it is when it is long.
    mutating func own(_ message: ByteBuffer) -> ByteBuffer {
        guard message.readableBytes <= Self.copiedBytes else { return message }
        if ring.count < Self.slots {
            let copy = Self.copy(message)
            ring.append(copy)
            return copy
        }
        let slot = next
        next = (next + 1) % Self.slots
        let reused: Void? = ring[slot].modifyIfUniquelyOwned { buffer in
            buffer.clear()
            buffer.writeImmutableBuffer(message)
        }
        if reused == nil { ring[slot] = Self.copy(message) }
        return ring[slot]
    }

    private static func copy(_ message: ByteBuffer) -> ByteBuffer {
        var copy = ByteBufferAllocator().buffer(capacity: max(256, message.readableBytes))
        copy.writeImmutableBuffer(message)
        return copy
    }
}
