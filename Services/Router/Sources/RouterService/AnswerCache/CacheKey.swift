import BulkheadAPI
import BulkheadCore
import Crypto
import NIOCore

/// Whose answers they are. An answer never leaves its partition.
package struct CachePartition: Hashable, Sendable {
    package let tenant: String
    /// The user, the end user or the key, as edge resolved and told them apart.
    package let user: String

    package init(tenant: String, user: String) {
        self.tenant = tenant
        self.user = user
    }

    package init(_ metadata: CallMetadata) { self.init(tenant: metadata.tenant, user: metadata.user) }
}

/// Says that two requests are the very same: a SHA-256 over everything that may change the answer, and over whose it is.
package struct CacheKey: Hashable, Sendable, CustomStringConvertible {
    /// Changes with the meaning of keys, so that no build takes an answer by another one's rules.
    private static let version = "bulkhead answer 2"

    private let words: (UInt64, UInt64, UInt64, UInt64)
    package let tenant: TenantDigest

    /// - Parameters:
    ///   - chat: in canonical form.
    ///   - alias: the route it takes.
    /// - Throws: `WireError` for a request too large to be written down.
    package init(canonical chat: ChatAPI.ChatRequest, alias: String, partition: CachePartition) throws {
        var hash = SHA256()
        // With their lengths, so that no two run together to the same bytes.
        for part in [Self.version, partition.tenant, partition.user, alias] { hash.update(lengthAnd: part) }
        // All fields of the message, a later one too, in the order of their numbers: equal requests give equal bytes.
        try chat.encoded().withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        words = hash.finalize().withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 {
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
            }
            return (word(0), word(1), word(2), word(3))
        }
        tenant = TenantDigest(partition.tenant)
    }

    /// The key of a request as edge sent it.
    package init(_ chat: ChatAPI.ChatRequest, alias: String, partition: CachePartition) throws {
        try self.init(canonical: CanonicalChat.of(chat), alias: alias, partition: partition)
    }

    /// 64 hexadecimal digits.
    package var description: String { [words.0, words.1, words.2, words.3].map(hexadecimal).joined() }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Stands for a tenant where its name is not wanted: 128 bits of a SHA-256.
package struct TenantDigest: Hashable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    package init(_ tenant: String) {
        var hash = SHA256()
        hash.update(lengthAnd: "tenant")
        hash.update(lengthAnd: tenant)
        (high, low) = hash.finalize().withUnsafeBytes { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
    }

    /// 32 hexadecimal digits.
    package var description: String { hexadecimal(high) + hexadecimal(low) }
}

extension SHA256 {
    fileprivate mutating func update(lengthAnd text: String) {
        var text = text
        withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { update(bufferPointer: $0) }
        text.withUTF8 { update(bufferPointer: UnsafeRawBufferPointer($0)) }
    }
}

/// 16 digits.
private func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
