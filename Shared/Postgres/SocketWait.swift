import BulkheadCore
import Glibc

/// Waits for a socket with a limit.
enum SocketWait {
    /// - Returns: false when the deadline came first. True also when the socket failed: the next use of it tells why.
    static func until(_ deadline: MonotonicTime, _ socket: Int32, _ events: Int32) -> Bool {
        while true {
            var entry = pollfd(fd: socket, events: Int16(truncatingIfNeeded: events), revents: 0)
            let left = max(0, (deadline - .now()).nanosecondsClamped)
            // Rounded up: a wait that ends a moment early would spin.
            let ready = poll(&entry, 1, Int32(clamping: (left / 1_000_000) + (left % 1_000_000 == 0 ? 0 : 1)))
            if ready > 0 { return true }
            if ready < 0, errno != EINTR { return true }
            if MonotonicTime.now() >= deadline { return false }
        }
    }
}
