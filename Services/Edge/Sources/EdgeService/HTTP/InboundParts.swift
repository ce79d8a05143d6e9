import NIOCore
import NIOHTTP1

/// What a client has sent and nobody has taken yet: parts of requests, in order, and how the connection's input ended.
///
/// Bounded by its owner, which stops reading while `isFull`; what one read brings is always kept.
struct InboundParts {
    /// Bytes of bodies above which the client is not read from.
    private static let fullBytes = 256 << 10
    /// Parts above which it is not: a pipeline of small requests.
    private static let fullParts = 64

    /// How the input ended.
    enum End {
        /// The client closed the connection or its sending side.
        case left
        /// What came is no HTTP.
        case unreadable(any Error)
    }

    private var parts = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 4)
    private var bytes = 0
    /// Set once.
    private(set) var end: End?

    var isEmpty: Bool { parts.isEmpty }
    var isFull: Bool { bytes >= Self.fullBytes || parts.count >= Self.fullParts }

    mutating func append(_ part: HTTPServerRequestPart) {
        guard end == nil else { return }
        if case .body(let buffer) = part { bytes += buffer.readableBytes }
        parts.append(part)
    }

    mutating func finish(_ end: End) { if self.end == nil { self.end = end } }

    mutating func take() -> HTTPServerRequestPart? {
        guard let part = parts.popFirst() else { return nil }
        if case .body(let buffer) = part { bytes -= buffer.readableBytes }
        return part
    }
}
