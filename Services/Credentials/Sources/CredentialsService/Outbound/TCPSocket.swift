import Glibc
import NIOCore
import NIOPosix

/// A connection's socket as the kernel sees it. On the connection's loop only.
struct TCPSocket {
    /// What the kernel counts.
    struct Counts {
        /// Bytes of ours that the other side has acknowledged, its answer to the SYN included.
        var acknowledged: UInt64
        /// Bytes of ours that were sent, each once.
        var sent: UInt64
    }

    /// Linux's `struct tcp_info` (4.19 and later) in words of 8 bytes.
    private typealias Words = (
        UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
        acknowledged: UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, sent: UInt64,
        sentAgain: UInt64
    )

    private let options: (any SocketOptionProvider)?

    init(_ channel: any Channel) { options = channel as? any SocketOptionProvider }

    /// nil when the kernel does not say.
    var counts: Counts? {
        guard let options else { return nil }
        var counts: Counts?
        let words: EventLoopFuture<Words> = options.unsafeGetSocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: TCP_INFO))
        // On the loop it is there at once.
        words.assumeIsolated().whenSuccess {
            counts = Counts(acknowledged: $0.acknowledged, sent: $0.sent - min($0.sent, $0.sentAgain))
        }
        return counts
    }
}
