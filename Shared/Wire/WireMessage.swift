import CBulkheadWire
import CProtobufC
import NIOCore

/// A message as a Swift value, with a protobuf-c struct as its wire form. Conformances are generated.
package protocol WireMessage: Sendable {
    /// The protobuf-c struct of the message.
    associatedtype CMessage
    /// protobuf-c's description of the message.
    static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> { get }
    /// Initialises `message` and writes the fields into it; what they point to lives in `arena`.
    func store(into message: UnsafeMutablePointer<CMessage>, _ arena: WireArena) throws
    /// Copies the fields out of an unpacked message.
    init(loading message: UnsafePointer<CMessage>) throws
}

/// Why bytes are not a message, or a message does not fit.
package enum WireError: Error, Sendable, Equatable {
    /// Cut off inside a field.
    case truncated
    /// Not a protobuf message, or not this one.
    case malformed
    /// Deeper than 16 levels or with more than 200 000 fields, or it would take far more memory than its bytes justify.
    case tooComplex
    /// A string is not UTF-8.
    case invalidUTF8
    /// No memory, or over the cap of one message (256 MiB while packing).
    case outOfMemory
}

/// Bounds on what a message from outside may cost, whatever its bytes say.
package enum WireLimits {
    /// Levels of nesting.
    package static let depth: UInt32 = 16
    /// Fields over all levels.
    package static let fields: UInt32 = 200_000
    /// Bytes of memory while unpacking, for a message of `length` bytes.
    static func memory(_ length: Int) -> Int { 8 * length + 256 * 1024 }
    /// Bytes of memory while packing.
    static let packing = 256 << 20
}

extension WireMessage {
    /// The wire form in a buffer of its own.
    /// - Throws: `WireError.outOfMemory`.
    package func encoded() throws -> ByteBuffer {
        var buffer = ByteBuffer()
        try encode(into: &buffer)
        return buffer
    }

    /// Appends the wire form to `buffer`.
    /// - Throws: `WireError.outOfMemory`.
    package func encode(into buffer: inout ByteBuffer) throws {
        let arena = try WireArena.forPacking()
        let message = try arena.message(self)
        WirePacking.pack(message, into: &buffer)
    }

    /// Decodes all readable bytes of `buffer`, which may come from a hostile peer.
    /// - Throws: `WireError`.
    package static func decoded(_ buffer: ByteBuffer) throws -> Self {
        try buffer.withUnsafeReadableBytes { bytes in
            try Self(loading: WirePacking.unpack(bytes, descriptor).assumingMemoryBound(to: CMessage.self))
        }
    }
}

/// The part of packing and unpacking that is the same for all messages.
package enum WirePacking {
    /// Appends the wire form of a protobuf-c struct to `buffer`.
    package static func pack(_ message: UnsafeMutableRawPointer, into buffer: inout ByteBuffer) {
        let raw = message.assumingMemoryBound(to: ProtobufCMessage.self)
        let size = protobuf_c_message_get_packed_size(raw)
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: size) { space in
            guard size > 0, let start = space.baseAddress else { return 0 }
            return protobuf_c_message_pack(raw, start.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// The protobuf-c struct of a message, which may come from a hostile peer. It lives until this thread packs or unpacks the
    /// next one.
    /// - Throws: `WireError`.
    package static func unpack(
        _ bytes: UnsafeRawBufferPointer, _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>
    ) throws -> UnsafeMutableRawPointer {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        switch bh_wire_scan(descriptor, start, bytes.count, WireLimits.depth, WireLimits.fields) {
        case Int32(BH_SCAN_OK.rawValue): break
        case Int32(BH_SCAN_TRUNCATED.rawValue): throw WireError.truncated
        case Int32(BH_SCAN_TOO_DEEP.rawValue), Int32(BH_SCAN_TOO_MANY_FIELDS.rawValue): throw WireError.tooComplex
        default: throw WireError.malformed
        }
        let arena = try WireArena(cap: WireLimits.memory(bytes.count))
        guard let raw = protobuf_c_message_unpack(descriptor, arena.allocator, bytes.count, start) else {
            throw arena.isExhausted ? WireError.tooComplex : WireError.malformed
        }
        return UnsafeMutableRawPointer(raw)
    }
}
