/// Microseconds since 1970 that follow the monotonic clock: a step of the host's clock moves no limit.
package struct LimitClock: Sendable {
    private let base: Int64

    /// Takes the time of day from `moment`, once.
    package init(_ moment: Moment) { base = moment.unixMilliseconds * 1000 - Self.monotonic(moment) }

    package func microseconds(_ moment: Moment) -> Double { Double(base + Self.monotonic(moment)) }

    private static func monotonic(_ moment: Moment) -> Int64 { Int64(moment.monotonic.nanoseconds / 1000) }
}
