import BulkheadCore
import Glibc

/// The host's clock as it was when the process began, moved on by the monotonic one: a step of the host's clock changes nothing.
package struct StoreClock: Sendable {
    private let offset: Int64

    /// Reads the host's clock.
    package init() {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        offset = Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000 - Self.monotonic
    }

    /// Milliseconds since 1970.
    package var now: Int64 { offset + Self.monotonic }

    private static var monotonic: Int64 { Int64(MonotonicTime.now().nanoseconds / 1_000_000) }
}
