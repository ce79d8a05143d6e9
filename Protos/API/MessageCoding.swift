import BulkheadWire
import CProtobufC
import NIOCore

// The generic steps of `BulkheadWire` once more, where the messages are: what is generic in another module is not specialised
// here, and took a third of the time of a message. Not seen outside of this module.

extension WireMessage {
    func encoded() throws -> ByteBuffer {
        let arena = try WireArena.forPacking()
        let message = try arena.message(self)
        var buffer = ByteBuffer()
        WirePacking.pack(message, into: &buffer)
        return buffer
    }

    static func decoded(_ buffer: ByteBuffer) throws -> Self {
        try buffer.withUnsafeReadableBytes { bytes in
            try Self(loading: WirePacking.unpack(bytes, descriptor).assumingMemoryBound(to: CMessage.self))
        }
    }
}

extension WireArena {
    func message<M: WireMessage>(_ value: M) throws -> UnsafeMutablePointer<M.CMessage> {
        let memory = try bytes(for: M.CMessage.self, count: 1)
        try value.store(into: memory, self)
        return memory
    }

    func messages<M: WireMessage>(
        _ values: [M]
    ) throws -> (UnsafeMutablePointer<UnsafeMutablePointer<M.CMessage>?>?, Int) {
        guard !values.isEmpty else { return (nil, 0) }
        let array = try bytes(for: UnsafeMutablePointer<M.CMessage>?.self, count: values.count)
        for index in 0 ..< values.count { array[index] = try message(values[index]) }
        return (array, values.count)
    }

    private func bytes<T>(for type: T.Type, count: Int) throws -> UnsafeMutablePointer<T> {
        try memory(MemoryLayout<T>.stride * count).bindMemory(to: type, capacity: count)
    }
}

extension WireReader {
    static func messages<M: WireMessage>(
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
