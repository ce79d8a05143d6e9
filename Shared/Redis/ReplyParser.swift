import CHiredis
import NIOCore

/// hiredis' parser of RESP, which takes bytes as they come and gives whole replies. The only owner of the C reader.
struct ReplyParser: ~Copyable {
    /// Bytes of one reply, and of what may wait to be parsed.
    static let mostBytes = 16 << 20

    private let reader: UnsafeMutablePointer<redisReader>

    init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("bug: no memory for a parser") }
        reader.pointee.fn = BoundedArrays.functions
        self.reader = reader
    }

    deinit { redisReaderFree(reader) }

    /// Takes bytes in. - Throws: `RedisFailure.garbled` when more waits than one reply may have.
    func feed(_ bytes: ByteBuffer) throws(RedisFailure) {
        let status = bytes.withUnsafeReadableBytes { raw in
            redisReaderFeed(reader, raw.baseAddress?.assumingMemoryBound(to: CChar.self), raw.count)
        }
        guard status == REDIS_OK, reader.pointee.len - reader.pointee.pos <= Self.mostBytes else { throw .garbled }
    }

    /// The next whole reply; nil until its last byte is there. - Throws: `RedisFailure.garbled`; the parser is of no use then.
    func next() throws(RedisFailure) -> RedisReply? {
        var raw: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &raw) == REDIS_OK else { throw .garbled }
        guard let raw else { return nil }
        defer { freeReplyObject(raw) }
        return Self.reply(raw.assumingMemoryBound(to: redisReply.self))
    }

    /// hiredis bounds the nesting (7 levels), `BoundedArrays` the width.
    private static func reply(_ raw: UnsafeMutablePointer<redisReply>) -> RedisReply {
        let bytes = UnsafeRawBufferPointer(start: raw.pointee.str, count: raw.pointee.str == nil ? 0 : raw.pointee.len)
        switch raw.pointee.type {
        case REDIS_REPLY_STRING: return .bytes(ByteBuffer(bytes: bytes))
        case REDIS_REPLY_STATUS: return .status(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_ERROR: return .error(String(decoding: bytes, as: UTF8.self))
        case REDIS_REPLY_INTEGER: return .integer(Int(raw.pointee.integer))
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: raw.pointee.element, count: raw.pointee.elements)
            return .array(elements.map { $0.map(reply) ?? .null })
        default: return .null
        }
    }
}

/// hiredis' own reply objects, but for arrays: those allocate by the count the other side claims, so the claim is bounded.
private enum BoundedArrays {
    static let mostElements: CInt = 8192

    private static let own: redisReplyObjectFunctions = {
        guard let reader = redisReaderCreate(), let own = reader.pointee.fn?.pointee else {
            preconditionFailure("bug: no memory for a parser")
        }
        defer { redisReaderFree(reader) }
        return own
    }()

    /// Written once, before its first use; hiredis only reads it.
    nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        functions.initialize(to: own)
        functions.pointee.createArray = { task, count in count > mostElements ? nil : own.createArray(task, count) }
        return functions
    }()
}
