import BulkheadAPI
import BulkheadCore
import Crypto

/// Says that two requests are the very same: a SHA-256 over everything that may change the answer, and over whose it is.
package struct CacheKey: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// The key of a request for `alias`. Tenant and user are part of it: an answer never crosses from one to another.
    /// - Throws: `WireError` for a request too large to be written down.
    package init(_ chat: ChatAPI.ChatRequest, alias: String, metadata: CallMetadata) throws {
        var canonical = chat
        canonical.model = alias
        canonical.stream = false
        var hash = SHA256()
        for part in [metadata.tenant, metadata.user] {
            // With their lengths, so that no two pairs run together to the same bytes.
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Array(part.utf8))
        }
        // Fields are written in the order of their numbers, so equal requests give equal bytes.
        try canonical.encoded().withUnsafeReadableBytes { hash.update(bufferPointer: $0) }
        words = hash.finalize().withUnsafeBytes { bytes in
            func word(_ index: Int) -> UInt64 { bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) }
            return (word(0), word(1), word(2), word(3))
        }
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }
    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

extension AnswerCacheConfiguration.Exact {
    /// Whether the answer to `chat` may come from the cache and go there. Never where tools are offered: their calls act.
    package func covers(_ chat: ChatAPI.ChatRequest) -> Bool {
        guard chat.tools.isEmpty else { return false }
        switch when {
        case .off: return false
        case .always: return true
        case .deterministic: return chat.temperature == 0 || chat.seed != nil
        }
    }
}
