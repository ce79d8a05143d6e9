import BulkheadCore

/// Calls issued and failed in the last stretch of time, in ten buckets. A bucket leaves as a whole, so the window is
/// between nine and ten tenths of its length.
struct OutcomeWindow: Sendable, Equatable {
    static let bucketCount = 10

    struct Bucket: Sendable, Equatable {
        var issued = 0
        var failed = 0
    }

    private let bucketNanoseconds: UInt64
    /// Number of the newest bucket since the clock's start; never goes back, whatever the clock says.
    private var newest: UInt64 = 0
    private(set) var buckets = [Bucket](repeating: Bucket(), count: bucketCount)
    /// Kept beside the buckets so that reading costs nothing; always their sum.
    private(set) var sum = Bucket()

    init(length: Duration) {
        bucketNanoseconds = UInt64(max(1, length.nanosecondsClamped / Int64(Self.bucketCount)))
    }

    mutating func issue(now: MonotonicTime) {
        let index = advance(now)
        buckets[index].issued += 1
        sum.issued += 1
    }

    /// Takes back a call that says nothing about the peer, if one issued recently is left.
    mutating func withdraw(now: MonotonicTime) {
        let newest = advance(now)
        for back in 0 ..< Self.bucketCount {
            let index = (newest + Self.bucketCount - back) % Self.bucketCount
            guard buckets[index].issued > buckets[index].failed else { continue }
            buckets[index].issued -= 1
            sum.issued -= 1
            return
        }
    }

    mutating func fail(now: MonotonicTime) {
        let index = advance(now)
        buckets[index].failed += 1
        sum.failed += 1
    }

    /// A failure may belong to a call issued before the window; then it counts as issued now.
    mutating func totals(now: MonotonicTime) -> (issued: Int, failed: Int) {
        _ = advance(now)
        return (max(sum.issued, sum.failed), sum.failed)
    }

    /// Lets what is older than the window go.
    mutating func settle(now: MonotonicTime) { _ = advance(now) }

    mutating func clear() {
        for index in buckets.indices { buckets[index] = Bucket() }
        sum = Bucket()
    }

    private mutating func advance(_ now: MonotonicTime) -> Int {
        let number = max(newest, now.nanoseconds / bucketNanoseconds)
        if number - newest >= UInt64(Self.bucketCount) {
            clear()
        } else {
            for passed in stride(from: newest, to: number, by: 1) { retire(passed + 1) }
        }
        newest = number
        return Int(number % UInt64(Self.bucketCount))
    }

    private mutating func retire(_ number: UInt64) {
        let index = Int(number % UInt64(Self.bucketCount))
        sum.issued -= buckets[index].issued
        sum.failed -= buckets[index].failed
        buckets[index] = Bucket()
    }
}
