import BulkheadCore
import Glibc

/// The present on both clocks: the monotonic one for limits and leases within this process, the wall clock for what is
/// stored and outlives it. Passed in, so that tests move it by hand.
package struct Moment: Sendable, Equatable {
    /// For durations within this process.
    package var monotonic: MonotonicTime
    /// Milliseconds since 1970, for what is stored.
    package var unixMilliseconds: Int64

    /// A moment; both clocks are read by `now()`.
    package init(monotonic: MonotonicTime, unixMilliseconds: Int64) {
        self.monotonic = monotonic
        self.unixMilliseconds = unixMilliseconds
    }

    /// Reads both clocks.
    package static func now() -> Moment {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        return Moment(monotonic: .now(), unixMilliseconds: Int64(wall.tv_sec) * 1000 + Int64(wall.tv_nsec) / 1_000_000)
    }

    /// The moment `duration` later.
    package static func + (moment: Moment, duration: Duration) -> Moment {
        Moment(
            monotonic: moment.monotonic + duration,
            unixMilliseconds: moment.unixMilliseconds + duration.nanosecondsClamped / 1_000_000)
    }
}
