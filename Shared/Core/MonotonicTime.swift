import Glibc

/// A point on the host's CLOCK_MONOTONIC, in nanoseconds. Valid across processes of one host, unaffected by changes of
/// the wall clock.
package struct MonotonicTime: Sendable, Hashable, Comparable {
    /// Nanoseconds since the clock's (arbitrary) start.
    package var nanoseconds: UInt64

    /// - Parameter nanoseconds: nanoseconds since the clock's start.
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The farthest point in time; a deadline of `.never` never passes.
    package static let never = MonotonicTime(nanoseconds: .max)

    /// The present moment.
    package static func now() -> MonotonicTime {
        var value = timespec()
        clock_gettime(CLOCK_MONOTONIC, &value)
        return MonotonicTime(nanoseconds: UInt64(value.tv_sec) * 1_000_000_000 + UInt64(value.tv_nsec))
    }

    package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The time `duration` later; saturates at `.never`, and at zero for a negative duration.
    package static func + (time: Self, duration: Duration) -> Self {
        let step = duration.nanosecondsClamped
        if step >= 0 {
            let (sum, overflow) = time.nanoseconds.addingReportingOverflow(UInt64(step))
            return MonotonicTime(nanoseconds: overflow ? .max : sum)
        }
        let back = step.magnitude
        return MonotonicTime(nanoseconds: time.nanoseconds > back ? time.nanoseconds - back : 0)
    }

    /// The duration from `right` to `left`; negative when `left` is earlier.
    package static func - (left: Self, right: Self) -> Duration {
        left >= right
            ? .nanoseconds(Int64(clamping: left.nanoseconds - right.nanoseconds))
            : .nanoseconds(-Int64(clamping: right.nanoseconds - left.nanoseconds))
    }
}

extension Duration {
    /// The whole nanoseconds of the duration, clamped to what an `Int64` holds (292 years).
    package var nanosecondsClamped: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflowed) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflowed ? (seconds < 0 ? .min : .max) : sum
    }

    /// The duration in milliseconds, with fraction.
    package var milliseconds: Double { Double(nanosecondsClamped) / 1_000_000 }
}
