import BulkheadCore
import NIOCore

/// The first words of both ends. TLVs (type u8, length u16, bytes) behind the magic and the protocol's version, so that a
/// later minor version may add fields and any version can at least say which one it is.
struct Hello: Equatable {
    static let magic: UInt32 = 0x484b_4c42  // "BLKH"
    static let major: UInt16 = 1
    static let minor: UInt16 = 0

    /// A method as the server offers it; its place in the list is its id on this connection.
    struct Method: Equatable {
        var name: String
        var shape: CallShape
        var requestHash: UInt64
        var responseHash: UInt64
    }

    struct Schema: Equatable {
        var name: String
        var fingerprint: String
    }

    var major = Hello.major
    var minor = Hello.minor
    /// The service that speaks.
    var service = ""
    /// The service it believes to speak to.
    var peer = ""
    /// Random, made at process start: another id is another process.
    var instance: [UInt8] = []
    var pid: Int32 = 0
    var maxMessageBytes: UInt32 = 0
    var now = MonotonicTime(nanoseconds: 0)
    var schemas: [Schema] = []
    var methods: [Method] = []
}

extension Hello {
    private enum Tag: UInt8 {
        case service = 1
        case peer = 2
        case instance = 3
        case pid = 4
        case maxMessageBytes = 5
        case now = 6
        case schema = 7
        case method = 8
    }

    func encode() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeMultipleIntegers(Self.magic, major, minor, endianness: .little)
        Self.append(.service, &buffer) { $0.writeString(service) }
        Self.append(.peer, &buffer) { $0.writeString(peer) }
        Self.append(.instance, &buffer) { $0.writeBytes(instance) }
        Self.append(.pid, &buffer) { $0.writeInteger(pid, endianness: .little) }
        Self.append(.maxMessageBytes, &buffer) { $0.writeInteger(maxMessageBytes, endianness: .little) }
        Self.append(.now, &buffer) { $0.writeInteger(now.nanoseconds, endianness: .little) }
        for schema in schemas {
            Self.append(.schema, &buffer) { field in
                field.writeInteger(UInt8(clamping: schema.fingerprint.utf8.count))
                field.writeString(schema.fingerprint)
                field.writeString(schema.name)
            }
        }
        for method in methods {
            Self.append(.method, &buffer) { field in
                field.writeInteger(method.shape.rawValue)
                field.writeMultipleIntegers(method.requestHash, method.responseHash, endianness: .little)
                field.writeString(method.name)
            }
        }
        return buffer
    }

    private static func append(_ tag: Tag, _ buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
        var field = ByteBuffer()
        body(&field)
        buffer.writeInteger(tag.rawValue)
        buffer.writeInteger(UInt16(clamping: field.readableBytes), endianness: .little)
        buffer.writeBuffer(&field)
    }

    /// - Throws: `ProtocolViolation` with code `incompatible` for another major version; the rest is then not looked at.
    init(decoding payload: ByteBuffer) throws(ProtocolViolation) {
        var payload = payload
        guard let magic: UInt32 = payload.readInteger(endianness: .little), magic == Self.magic,
            let major: UInt16 = payload.readInteger(endianness: .little),
            let minor: UInt16 = payload.readInteger(endianness: .little)
        else { throw ProtocolViolation(description: "handshake without the protocol's magic number") }
        guard major == Self.major else {
            throw ProtocolViolation(
                code: .incompatible,
                description: "peer speaks protocol \(major).\(minor), this process \(Self.major).\(Self.minor); update the older")
        }
        self.init()
        self.minor = minor
        while payload.readableBytes > 0 {
            guard let tag: UInt8 = payload.readInteger(), let count: UInt16 = payload.readInteger(endianness: .little),
                let field = payload.readSlice(length: Int(count)), methods.count <= 4096, schemas.count <= 256
            else { throw ProtocolViolation(description: "handshake is cut off or too long") }
            guard let tag = Tag(rawValue: tag) else { continue }
            guard assign(tag, field) else { throw ProtocolViolation(description: "malformed handshake field \(tag)") }
        }
    }

    private mutating func assign(_ tag: Tag, _ field: ByteBuffer) -> Bool {
        var field = field
        switch tag {
        case .service: return Self.text(&field, into: &service)
        case .peer: return Self.text(&field, into: &peer)
        case .instance:
            guard field.readableBytes == 16 else { return false }
            instance = Array(field.readableBytesView)
        case .pid:
            guard let value: Int32 = field.readInteger(endianness: .little) else { return false }
            pid = value
        case .maxMessageBytes:
            guard let value: UInt32 = field.readInteger(endianness: .little) else { return false }
            maxMessageBytes = value
        case .now:
            guard let value: UInt64 = field.readInteger(endianness: .little) else { return false }
            now = MonotonicTime(nanoseconds: value)
        case .schema:
            var schema = Schema(name: "", fingerprint: "")
            guard let count: UInt8 = field.readInteger(), var fingerprint = field.readSlice(length: Int(count)),
                Self.text(&fingerprint, into: &schema.fingerprint), Self.text(&field, into: &schema.name)
            else { return false }
            schemas.append(schema)
        case .method:
            guard let method = Self.method(&field) else { return false }
            methods.append(method)
        }
        return true
    }

    private static func method(_ field: inout ByteBuffer) -> Method? {
        var name = ""
        guard let raw: UInt8 = field.readInteger(), let shape = CallShape(rawValue: raw),
            let request: UInt64 = field.readInteger(endianness: .little),
            let response: UInt64 = field.readInteger(endianness: .little), text(&field, into: &name)
        else { return nil }
        return Method(name: name, shape: shape, requestHash: request, responseHash: response)
    }

    private static func text(_ field: inout ByteBuffer, into text: inout String) -> Bool {
        guard field.readableBytes <= 256, let value = String(validating: field.readableBytesView, as: UTF8.self) else {
            return false
        }
        text = value
        return true
    }
}

extension PeerHealth {
    private static let order: [State] = [.starting, .ready, .degraded, .notServing, .draining]

    /// The payload of a HEALTH frame: state u8, then the reason (at most 1024 bytes).
    func encode() -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt8(Self.order.firstIndex(of: state) ?? 0))
        buffer.writeString(String(decoding: reason.utf8.prefix(1024), as: UTF8.self))
        return buffer
    }

    init(decoding payload: ByteBuffer) throws(ProtocolViolation) {
        var payload = payload
        guard let index: UInt8 = payload.readInteger(), Int(index) < Self.order.count, payload.readableBytes <= 4096 else {
            throw ProtocolViolation(description: "malformed health")
        }
        self.init(state: Self.order[Int(index)], reason: String(buffer: payload))
    }
}
