import BulkheadAPI
import BulkheadCore
import Crypto
import NIOCore

/// An answer as bytes outside of this process: version (1), for how long it stands in when its time is over (8, milliseconds),
/// checksum (8), events (a `CompleteReply`).
///
/// The checksum is over the key too: a value under a wrong key is damaged, not somebody else's answer.
package enum AnswerRecord {
    private static let version: UInt8 = 1
    /// Bytes of the largest answer that is kept.
    package static let limit = 4 << 20

    /// nil for an answer that is too large.
    package static func encode(_ events: [ChatAPI.ChatEvent], stale: Duration, key: CacheKey) -> ByteBuffer? {
        guard let payload = try? RouterAPI.CompleteReply(events: events).encoded(), payload.readableBytes <= limit else {
            return nil
        }
        var record = ByteBuffer()
        record.reserveCapacity(payload.readableBytes + 17)
        let milliseconds = UInt64(max(0, stale.milliseconds))
        record.writeInteger(version)
        record.writeInteger(milliseconds)
        record.writeInteger(checksum(payload, milliseconds, key))
        record.writeImmutableBuffer(payload)
        return record
    }

    /// nil for bytes that were not written by `encode` for this key, by this version.
    package static func decode(_ record: ByteBuffer, key: CacheKey) -> (events: [ChatAPI.ChatEvent], stale: Duration)? {
        var record = record
        guard record.readableBytes <= limit + 17, record.readInteger(as: UInt8.self) == version,
            let milliseconds = record.readInteger(as: UInt64.self), let told = record.readInteger(as: UInt64.self),
            told == checksum(record, milliseconds, key), let reply = try? RouterAPI.CompleteReply.decoded(record)
        else { return nil }
        return (reply.events, .milliseconds(Int64(clamping: milliseconds)))
    }

    private static func checksum(_ payload: ByteBuffer, _ milliseconds: UInt64, _ key: CacheKey) -> UInt64 {
        var hash = SHA256()
        var head = "\(key) \(milliseconds) "
        head.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        payload.withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        return hash.finalize().withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    }
}
