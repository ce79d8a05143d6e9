/// Buckets for durations that grow by an eighth, from a nanosecond to 18 minutes: an answer is at most 12 % too high.
package enum LatencyBuckets {
    /// How many there are. Longer durations fall into the last.
    package static let count = 40 * 8

    /// Eight buckets an octave: the three bits below the highest one choose among them.
    package static func bucket(_ duration: Duration) -> Int {
        let nanoseconds = UInt64(max(0, duration.nanosecondsClamped))
        guard nanoseconds >= 8 else { return Int(nanoseconds) }
        let octave = 63 - nanoseconds.leadingZeroBitCount
        return min(count - 1, (octave - 2) * 8 + Int(nanoseconds >> UInt64(octave - 3)) & 7)
    }

    /// The nanoseconds below which all of a bucket's durations are.
    package static func upperBound(_ bucket: Int) -> UInt64 {
        guard bucket >= 8 else { return UInt64(bucket) }
        return (UInt64(bucket & 7) + 9) << UInt64(bucket / 8 - 1)
    }
}
