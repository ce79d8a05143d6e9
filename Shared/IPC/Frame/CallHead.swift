import BulkheadCore
import BulkheadWire
import NIOCore

/// What stands before the first message of a call: 64 fixed bytes, then the metadata as TLVs (type u8, length u16, bytes).
///
/// Fixed part, little-endian: deadline u64, sent u64 (both CLOCK_MONOTONIC ns), trace id 2 × u64, span u64, trace flags u8,
/// attempt u8, criticality u8, call flags u8, TLV bytes u16, zeros.
struct CallHead {
    static let fixedBytes = 64
    /// Metadata at most; gRPC suggests the same cap for headers.
    static let metadataBytes = 8 << 10
    private static let idempotent: UInt8 = 1

    private enum Tag: UInt8 {
        case requestID = 1
        case tenant = 2
        case user = 3
        var limit: Int { self == .user ? 256 : 128 }
    }

    var deadline: MonotonicTime
    var sent: MonotonicTime
    var metadata: CallMetadata
    var attempt: UInt8 = 0
    var isIdempotent = false

    /// Bytes of the encoded form, or nil when a metadata field is too long.
    static func encodedBytes(_ metadata: CallMetadata) -> Int? {
        guard let requestID = tlvBytes(.requestID, metadata.requestID), let tenant = tlvBytes(.tenant, metadata.tenant),
            let user = tlvBytes(.user, metadata.user)
        else { return nil }
        return fixedBytes + requestID + tenant + user
    }

    private static func tlvBytes(_ tag: Tag, _ value: String) -> Int? {
        let count = value.utf8.count
        guard count <= tag.limit else { return nil }
        return count == 0 ? 0 : 3 + count
    }

    /// Writes the head; the buffer grows by `encodedBytes`.
    func encode(into buffer: inout ByteBuffer, bytes total: Int) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.fixedBytes) { raw in
            raw[..<Self.fixedBytes].initializeMemory(as: UInt8.self, repeating: 0)
            raw.storeBytes(of: deadline.nanoseconds.littleEndian, as: UInt64.self)
            raw.storeBytes(of: sent.nanoseconds.littleEndian, toByteOffset: 8, as: UInt64.self)
            if let trace = metadata.trace {
                raw.storeBytes(of: trace.traceHigh.littleEndian, toByteOffset: 16, as: UInt64.self)
                raw.storeBytes(of: trace.traceLow.littleEndian, toByteOffset: 24, as: UInt64.self)
                raw.storeBytes(of: trace.span.littleEndian, toByteOffset: 32, as: UInt64.self)
                raw[40] = trace.flags
            }
            raw[41] = attempt
            raw[43] = isIdempotent ? Self.idempotent : 0
            raw.storeBytes(of: UInt16(total - Self.fixedBytes).littleEndian, toByteOffset: 44, as: UInt16.self)
            return Self.fixedBytes
        }
        guard total > Self.fixedBytes else { return }
        append(.requestID, metadata.requestID, &buffer)
        append(.tenant, metadata.tenant, &buffer)
        append(.user, metadata.user, &buffer)
    }

    private func append(_ tag: Tag, _ value: String, _ buffer: inout ByteBuffer) {
        guard !value.isEmpty else { return }
        buffer.writeInteger(tag.rawValue)
        buffer.writeInteger(UInt16(value.utf8.count), endianness: .little)
        buffer.writeString(value)
    }
}

extension CallHead {
    /// Reads a head off the front of `payload`, leaving the message. Unknown TLVs are skipped.
    init(reading payload: inout ByteBuffer) throws(ProtocolViolation) {
        guard payload.readableBytes >= Self.fixedBytes else {
            throw ProtocolViolation(description: "request of \(payload.readableBytes) bytes has no whole call head")
        }
        let metadataBytes: Int
        (self, metadataBytes) = payload.withUnsafeReadableBytes { Self.fixedPart($0) }
        payload.moveReaderIndex(forwardBy: Self.fixedBytes)
        guard metadataBytes > 0 else { return }
        guard metadataBytes <= Self.metadataBytes, var fields = payload.readSlice(length: metadataBytes) else {
            throw ProtocolViolation(description: "call metadata of \(metadataBytes) bytes does not fit its frame")
        }
        while fields.readableBytes > 0 {
            guard let tag: UInt8 = fields.readInteger(), let count: UInt16 = fields.readInteger(endianness: .little),
                let value = fields.readSlice(length: Int(count))
            else { throw ProtocolViolation(description: "call metadata is cut off") }
            try assign(tag, value)
        }
    }

    private static func fixedPart(_ bytes: UnsafeRawBufferPointer) -> (CallHead, Int) {
        func word(_ offset: Int) -> UInt64 { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
        var head = CallHead(
            deadline: MonotonicTime(nanoseconds: word(0)), sent: MonotonicTime(nanoseconds: word(8)), metadata: CallMetadata())
        let (high, low, span) = (word(16), word(24), word(32))
        if high | low != 0, span != 0 {
            head.metadata.trace = TraceContext(traceHigh: high, traceLow: low, span: span, flags: bytes[40])
        }
        head.attempt = bytes[41]
        head.isIdempotent = bytes[43] & idempotent != 0
        return (head, Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 44, as: UInt16.self))))
    }

    private mutating func assign(_ rawTag: UInt8, _ value: ByteBuffer) throws(ProtocolViolation) {
        guard let tag = Tag(rawValue: rawTag) else { return }
        guard value.readableBytes <= tag.limit, let text = WireReader.text(value) else {
            throw ProtocolViolation(description: "call metadata field \(rawTag) is too long or not UTF-8")
        }
        switch tag {
        case .requestID: metadata.requestID = text
        case .tenant: metadata.tenant = text
        case .user: metadata.user = text
        }
    }
}
