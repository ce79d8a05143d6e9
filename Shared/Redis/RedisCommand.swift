import CHiredis
import NIOCore

/// One command with its arguments, which may be any bytes.
package struct RedisCommand: Sendable {
    private var bytes = ByteBuffer()
    private var lengths: [Int] = []

    /// A command of words, e.g. `RedisCommand("SADD", key, member)`.
    package init(_ words: String...) {
        for word in words { append(word) }
    }

    /// A command of words.
    package init(_ words: [String]) {
        for word in words { append(word) }
    }

    /// Adds an argument.
    package mutating func append(_ word: String) { lengths.append(bytes.writeString(word)) }

    /// Adds an argument.
    package mutating func append(_ value: ByteBuffer) { lengths.append(bytes.writeImmutableBuffer(value)) }

    /// Bytes of all arguments.
    package var size: Int { bytes.readableBytes }

    /// Appends the command as RESP. - Throws: `RedisFailure.garbled` when there is no memory for it.
    func write(into buffer: inout ByteBuffer) throws(RedisFailure) {
        var target: UnsafeMutablePointer<CChar>?
        let size = bytes.withUnsafeReadableBytes { raw in
            let start = raw.baseAddress?.assumingMemoryBound(to: CChar.self)
            var offset = 0
            var arguments: [UnsafePointer<CChar>?] = lengths.map { length in
                defer { offset += length }
                return start.map { $0 + offset }
            }
            return redisFormatCommandArgv(&target, Int32(lengths.count), &arguments, lengths)
        }
        guard size >= 0, let target else { throw .garbled }
        defer { redisFreeCommand(target) }
        buffer.writeBytes(UnsafeRawBufferPointer(start: target, count: Int(size)))
    }
}
