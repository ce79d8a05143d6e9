import NIOCore

/// Memory for messages that are taken out of the read buffer: what a short message leaves behind serves a later one. A long
/// one is copied only where it would keep far more memory than it needs; a stream's window counts bytes of messages, not of
/// the buffers behind them.
///
/// A short message that is kept longer than `slots` others take to come by keeps its memory; its slot gets a new buffer.
struct BufferRing {
    /// Messages up to this size are copied, so that keeping one does not keep the whole read buffer.
    static let copiedBytes = 8 << 10
    private static let slots = 16

    private var ring: [ByteBuffer] = []
    private var next = 0

    /// A message that keeps at most twice its bytes of memory, and not the whole read buffer.
    mutating func own(_ message: ByteBuffer) -> ByteBuffer {
        guard message.readableBytes <= Self.copiedBytes else {
            return message.storageCapacity <= 2 * message.readableBytes ? message : Self.copy(message)
        }
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
