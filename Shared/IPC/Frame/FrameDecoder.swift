import NIOCore

/// Cuts a byte stream into frames. Every byte is hostile: a length is checked before anything is allocated for it.
struct FrameDecoder {
    /// A whole frame; `payload` shares memory with what was read.
    struct Frame {
        var header: FrameHeader
        var payload: ByteBuffer
    }

    private var buffer = ByteBuffer()

    /// Bytes of a frame that is not complete yet.
    var partialBytes: Int { buffer.readableBytes }

    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// Forgets what was consumed, so that the read buffer can be reused.
    mutating func compact() {
        if buffer.readableBytes == 0 { buffer = ByteBuffer() } else { buffer.discardReadBytes() }
    }

    /// Moves the beginning of a frame to where all of it fits. The read buffer is shared with the payloads handed out, so that
    /// growing it in place would copy all that was read, not only what is left.
    private mutating func makeRoom(_ frameBytes: Int) {
        guard buffer.writableBytes < frameBytes - buffer.readableBytes else { return }
        var moved = ByteBufferAllocator().buffer(capacity: frameBytes)
        moved.writeImmutableBuffer(buffer)
        buffer = moved
    }

    /// The next whole frame, or nil when more bytes are needed. Unknown ignorable frames are skipped.
    mutating func next() throws(ProtocolViolation) -> Frame? {
        while buffer.readableBytes >= FrameLimits.headerBytes {
            let (low, high) = buffer.withUnsafeReadableBytes { bytes in
                (
                    UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)),
                    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            let length = UInt32(truncatingIfNeeded: low)
            guard length <= FrameLimits.payloadBytes else {
                throw ProtocolViolation(
                    description: "frame of \(length) bytes; at most \(FrameLimits.payloadBytes) are allowed")
            }
            let rawType = UInt8(truncatingIfNeeded: low >> 32)
            let type = FrameType(rawValue: rawType)
            if type == nil, rawType & 0x80 == 0 { throw ProtocolViolation(description: "unknown frame type \(rawType)") }
            let flags = FrameFlags(rawValue: UInt8(truncatingIfNeeded: low >> 40))
            guard type == nil || flags.isSubset(of: .known) else {
                throw ProtocolViolation(description: "reserved flags \(flags.rawValue) in a frame of type \(rawType)")
            }
            guard buffer.readableBytes >= FrameLimits.headerBytes + Int(length) else {
                makeRoom(FrameLimits.headerBytes + Int(length))
                return nil
            }
            buffer.moveReaderIndex(forwardBy: FrameLimits.headerBytes)
            guard let payload = buffer.readSlice(length: Int(length)) else { return nil }
            guard let type else { continue }
            let header = FrameHeader(
                length: length, type: type, flags: flags, method: UInt16(truncatingIfNeeded: low >> 48),
                stream: UInt32(truncatingIfNeeded: high), aux: UInt32(truncatingIfNeeded: high >> 32))
            return Frame(header: header, payload: payload)
        }
        return nil
    }
}
