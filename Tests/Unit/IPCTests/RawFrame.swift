import BulkheadCore
import NIOCore

/// Frames written by hand from the protocol's description, so that the codec is not tested with itself.
struct RawFrame: Equatable {
    var type: UInt8
    var flags: UInt8 = 0
    var method: UInt16 = 0
    var stream: UInt32 = 0
    var aux: UInt32 = 0
    var payload: [UInt8] = []

    var bytes: [UInt8] {
        Self.little(UInt32(payload.count)) + [type, flags] + Self.little(method) + Self.little(stream) + Self.little(aux)
            + payload
    }

    static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }

    /// The frames in `bytes`; what is left over at the end is dropped.
    static func parse(_ bytes: [UInt8]) -> [RawFrame] {
        var frames: [RawFrame] = []
        var buffer = ByteBuffer(bytes: bytes)
        while let length: UInt32 = buffer.readInteger(endianness: .little), let type: UInt8 = buffer.readInteger(),
            let flags: UInt8 = buffer.readInteger(), let method: UInt16 = buffer.readInteger(endianness: .little),
            let stream: UInt32 = buffer.readInteger(endianness: .little),
            let aux: UInt32 = buffer.readInteger(endianness: .little),
            let payload = buffer.readBytes(length: Int(length))
        {
            frames.append(RawFrame(type: type, flags: flags, method: method, stream: stream, aux: aux, payload: payload))
        }
        return frames
    }

    static let endStream: UInt8 = 1
    static let more: UInt8 = 2
    static let hasMessage: UInt8 = 4

    /// A protobuf field of bytes; number below 16, at most 127 bytes.
    static func field(_ number: UInt8, _ value: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(value.count)] + value }
    /// A protobuf varint field below 128.
    private static func small(_ number: UInt8, _ value: UInt8) -> [UInt8] { [number << 3, value] }
    private static func fixed64(_ number: UInt8, _ value: UInt64) -> [UInt8] { [number << 3 | 1] + little(value) }

    static func hello(
        magic: String = "BLKH", major: UInt8 = 1, service: String = "raw", peer: String = "test", instance: UInt8 = 1
    ) -> RawFrame {
        let head = [1 << 3 | 5] + Array(magic.utf8) + small(2, major)
        let names = field(4, Array(service.utf8)) + field(12, Array(peer.utf8))
        return RawFrame(type: 1, payload: head + names + field(5, Array(repeating: instance, count: 16)))
    }

    /// A HELLO_ACK that offers one method, `Test.Echo` with hashes 1 and 2.
    static func helloAck(service: String = "test", instance: UInt8 = 9) -> RawFrame {
        var frame = hello(service: service, peer: "", instance: instance)
        frame.type = 2
        // The largest message: 16 MiB as a varint.
        frame.payload += [8 << 3, 0x80, 0x80, 0x80, 0x08]
        frame.payload += field(11, field(1, Array("Test.Echo".utf8)) + fixed64(2, 1) + fixed64(3, 2))
        return frame
    }

    static func request(
        stream: UInt32, method: UInt16 = 0, deadline: MonotonicTime = .now() + .seconds(30),
        flags: UInt8 = hasMessage | endStream,
        message: [UInt8] = Array("hello".utf8)
    ) -> RawFrame {
        var head = little(deadline.nanoseconds) + little(MonotonicTime.now().nanoseconds)
        head += Array(repeating: 0, count: 64 - head.count)
        return RawFrame(type: 3, flags: flags, method: method, stream: stream, payload: head + message)
    }
}
