import CBulkheadWire
import CProtobufC
import NIOCore

/// This thread's arena while one message is packed or unpacked. Never kept, never nested, never crosses an await.
package struct WireArena {
    @usableFromInline
    let arena: OpaquePointer

    init(cap: Int) throws {
        guard let arena = bh_arena_take(cap) else { throw WireError.outOfMemory }
        self.arena = arena
    }

    /// For a message that is to be packed.
    package static func forPacking() throws -> WireArena { try WireArena(cap: WireLimits.packing) }

    var allocator: UnsafeMutablePointer<ProtobufCAllocator> { bh_arena_allocator(arena) }

    /// Whether an allocation was refused: nothing fits any more.
    var isExhausted: Bool { bh_arena_is_exhausted(arena) != 0 }

    /// Uninitialised memory, aligned for anything.
    package func memory(_ count: Int) throws -> UnsafeMutableRawPointer {
        guard let memory = bh_arena_allocate(arena, count) else { throw WireError.outOfMemory }
        return memory
    }

    @inlinable
    func allocate<T>(_ type: T.Type, count: Int) throws -> UnsafeMutablePointer<T> {
        guard let memory = bh_arena_allocate(arena, MemoryLayout<T>.stride * count) else { throw WireError.outOfMemory }
        return memory.bindMemory(to: type, capacity: count)
    }

    /// A copy of the string's UTF-8.
    package func string(_ value: String) throws -> ProtobufCBinaryData {
        var value = value
        return try value.withUTF8 { try copy(UnsafeRawBufferPointer($0)) }
    }

    /// A copy of the buffer's readable bytes.
    package func bytes(_ value: ByteBuffer) throws -> ProtobufCBinaryData {
        try value.withUnsafeReadableBytes { try copy($0) }
    }

    /// The message's C struct with all it points to.
    @inlinable
    @inline(__always)
    package func message<M: WireMessage>(_ value: M) throws -> UnsafeMutablePointer<M.CMessage> {
        let memory = try allocate(M.CMessage.self, count: 1)
        try value.store(into: memory, self)
        return memory
    }

    /// The array protobuf-c keeps for a repeated message field, and its count.
    @inlinable
    @inline(__always)
    package func messages<M: WireMessage>(
        _ values: [M]
    ) throws -> (UnsafeMutablePointer<UnsafeMutablePointer<M.CMessage>?>?, Int) {
        guard !values.isEmpty else { return (nil, 0) }
        let array = try allocate(UnsafeMutablePointer<M.CMessage>?.self, count: values.count)
        for index in 0 ..< values.count { array[index] = try message(values[index]) }
        return (array, values.count)
    }

    /// The array protobuf-c keeps for a repeated string field, and its count.
    package func strings(_ values: [String]) throws -> (UnsafeMutablePointer<ProtobufCBinaryData>?, Int) {
        guard !values.isEmpty else { return (nil, 0) }
        let array = try allocate(ProtobufCBinaryData.self, count: values.count)
        for index in 0 ..< values.count { array[index] = try string(values[index]) }
        return (array, values.count)
    }

    /// The array protobuf-c keeps for a repeated float field, and its count.
    package func floats(_ values: [Float]) throws -> (UnsafeMutablePointer<Float>?, Int) {
        guard !values.isEmpty else { return (nil, 0) }
        let array = try allocate(Float.self, count: values.count)
        array.update(from: values, count: values.count)
        return (array, values.count)
    }

    private func copy(_ bytes: UnsafeRawBufferPointer) throws -> ProtobufCBinaryData {
        guard bytes.count > 0 else { return ProtobufCBinaryData(len: 0, data: nil) }
        let memory = try allocate(UInt8.self, count: bytes.count)
        UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyMemory(from: bytes)
        return ProtobufCBinaryData(len: bytes.count, data: memory)
    }
}

/// Copies fields of an unpacked message into Swift values.
package enum WireReader {
    /// The string; its UTF-8 is checked.
    package static func string(_ data: ProtobufCBinaryData) throws -> String {
        guard data.len > 0, let start = data.data else { return "" }
        let bytes = UnsafeBufferPointer(start: start, count: data.len)
        // The validating initialiser is generic code in the standard library; for ASCII the other one does the same, faster.
        if isASCII(bytes) { return String(decoding: bytes, as: UTF8.self) }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw WireError.invalidUTF8 }
        return text
    }

    /// The readable bytes as text; nil when they are not UTF-8.
    package static func text(_ bytes: ByteBuffer) -> String? {
        bytes.withUnsafeReadableBytes { bytes in
            let bytes = bytes.bindMemory(to: UInt8.self)
            return isASCII(bytes) ? String(decoding: bytes, as: UTF8.self) : String(validating: bytes, as: UTF8.self)
        }
    }

    private static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let start = UnsafeRawPointer(bytes.baseAddress) else { return true }
        var place = 0
        while bytes.count - place >= 8 {
            if start.loadUnaligned(fromByteOffset: place, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return false }
            place += 8
        }
        while place < bytes.count {
            if bytes[place] >= 0x80 { return false }
            place += 1
        }
        return true
    }

    /// The bytes.
    package static func bytes(_ data: ProtobufCBinaryData) -> ByteBuffer {
        ByteBuffer(bytes: UnsafeRawBufferPointer(start: data.data, count: data.len))
    }

    /// The strings of a repeated field.
    package static func strings(_ array: UnsafeMutablePointer<ProtobufCBinaryData>?, _ count: Int) throws -> [String] {
        guard let array else { return [] }
        var strings: [String] = []
        strings.reserveCapacity(count)
        for index in 0 ..< count { strings.append(try string(array[index])) }
        return strings
    }

    /// The numbers of a repeated float field.
    package static func floats(_ array: UnsafeMutablePointer<Float>?, _ count: Int) -> [Float] {
        Array(UnsafeBufferPointer(start: array, count: count))
    }

    /// The messages of a repeated field.
    @inlinable
    @inline(__always)
    package static func messages<M: WireMessage>(
        _ array: UnsafeMutablePointer<UnsafeMutablePointer<M.CMessage>?>?, _ count: Int
    ) throws -> [M] {
        guard let array else { return [] }
        var messages: [M] = []
        messages.reserveCapacity(count)
        for index in 0 ..< count {
            guard let message = array[index] else { throw WireError.malformed }
            messages.append(try M(loading: message))
        }
        return messages
    }
}
