import Crypto
import NIOCore

/// SHA-256 of an API key: what edge remembers and session is told. The key itself stays in the request.
package struct KeyDigest: Hashable, Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// Of a key as the client sent it.
    package init(key: String) {
        var key = key
        self.init(key.withUTF8 { SHA256.hash(data: UnsafeRawBufferPointer($0)) })
    }

    private init(_ digest: SHA256.Digest) {
        words = digest.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64, UInt64, UInt64).self) }
    }

    /// The 32 bytes.
    package var bytes: ByteBuffer {
        withUnsafeBytes(of: words) { ByteBuffer(bytes: $0) }
    }

    package static func == (left: Self, right: Self) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        // The bytes are uniformly distributed already; one word spreads them.
        hasher.combine(words.0)
    }
}
