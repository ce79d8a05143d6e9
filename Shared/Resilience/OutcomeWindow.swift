import BulkheadCore

/// Calls counted in the last stretch of time, in buckets. A bucket leaves as a whole, so the window is between `count - 1`
/// and `count` buckets long. The sum is kept beside the buckets so that reading costs nothing; it is always their sum.
///
/// Time never goes back in here: an earlier `now` counts as the latest one seen.
package struct OutcomeWindow: Sendable, Hashable {
    /// Numbers of calls. A failed or slow call is always an issued one, too.
    package struct Counts: Sendable, Hashable {
        /// Each 0 at least.
        package var issued = 0
        package var failed = 0
        package var slow = 0

        /// Counts of one kind of call, or none.
        package init(issued: Int = 0, failed: Int = 0, slow: Int = 0) {
            self.issued = issued
            self.failed = failed
            self.slow = slow
        }

        static func += (left: inout Self, right: Self) {
            left.issued += right.issued
            left.failed += right.failed
            left.slow += right.slow
        }

        static func -= (left: inout Self, right: Self) {
            left.issued -= right.issued
            left.failed -= right.failed
            left.slow -= right.slow
        }

        /// Whether `other` can be taken away and what is left still makes sense.
        func covers(_ other: Self) -> Bool {
            issued - other.issued >= max(failed - other.failed, slow - other.slow, 0)
                && failed >= other.failed && slow >= other.slow
        }
    }

    private let bucketNanoseconds: UInt64
    /// Number of the newest bucket since the clock's start.
    package private(set) var newest: UInt64 = 0
    /// Bucket number `n` is at `n` modulo their count.
    package private(set) var buckets: [Counts]
    /// Over all buckets.
    package private(set) var sum = Counts()

    /// - Parameters:
    ///   - bucket: how long a bucket is filled; at least a nanosecond.
    ///   - count: buckets kept, at least 1.
    init(bucket: Duration, count: Int) {
        precondition(count > 0, "bug: a window of \(count) buckets counts nothing")
        bucketNanoseconds = UInt64(max(1, bucket.nanosecondsClamped))
        buckets = [Counts](repeating: Counts(), count: count)
    }

    /// Lets what is older than the window go.
    mutating func settle(now: MonotonicTime) {
        let number = max(newest, now.nanoseconds / bucketNanoseconds)
        guard number > newest else { return }
        if number - newest >= UInt64(buckets.count) {
            clear()
        } else {
            for passed in newest ..< number {
                let index = place(of: passed + 1)
                sum -= buckets[index]
                buckets[index] = Counts()
            }
        }
        newest = number
    }

    /// Counts in the bucket of the latest `settle`.
    mutating func add(_ counts: Counts) {
        buckets[place(of: newest)] += counts
        sum += counts
    }

    /// Takes back what bucket `number` counted.
    /// - Returns: false when the bucket has left the window, and the counts with it.
    @discardableResult
    mutating func remove(_ counts: Counts, from number: UInt64) -> Bool {
        guard number <= newest, newest - number < UInt64(buckets.count) else { return false }
        let index = place(of: number)
        guard buckets[index].covers(counts) else { return false }
        buckets[index] -= counts
        sum -= counts
        return true
    }

    mutating func clear() {
        for index in buckets.indices { buckets[index] = Counts() }
        sum = Counts()
    }

    private func place(of number: UInt64) -> Int { Int(number % UInt64(buckets.count)) }
}
