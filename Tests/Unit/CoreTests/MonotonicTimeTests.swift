import BulkheadCore
import Testing

@Suite("Points in monotonic time") struct MonotonicTimeTests {
    @Test("adding a duration moves the point by exactly its nanoseconds")
    func addition() {
        let start = MonotonicTime(nanoseconds: 1_000)
        #expect((start + .nanoseconds(1)).nanoseconds == 1_001)
        #expect((start + .milliseconds(2)).nanoseconds == 2_001_000)
        #expect((start + .seconds(3)).nanoseconds == 3_000_001_000)
        #expect(start + .zero == start)
    }

    @Test("adding a negative duration goes back, and stops at the start of the clock")
    func negativeAddition() {
        #expect((MonotonicTime(nanoseconds: 1_000) + .nanoseconds(-999)).nanoseconds == 1)
        #expect((MonotonicTime(nanoseconds: 1_000) + .nanoseconds(-1_000)).nanoseconds == 0)
        #expect((MonotonicTime(nanoseconds: 1_000) + .nanoseconds(-1_001)).nanoseconds == 0)
        #expect((MonotonicTime(nanoseconds: 1_000) + .seconds(Int64.min)).nanoseconds == 0)
    }

    @Test("a sum beyond the last point is never, and never stays never")
    func saturation() {
        #expect(MonotonicTime.never + .seconds(1) == .never)
        #expect(MonotonicTime(nanoseconds: .max - 1) + .nanoseconds(1) == .never)
        #expect(MonotonicTime(nanoseconds: .max - 1) + .nanoseconds(2) == .never)
        #expect(MonotonicTime(nanoseconds: UInt64(Int64.max)) + .seconds(Int64.max) > .now())
    }

    @Test("the difference of two points has the sign of their order")
    func difference() {
        let (early, late) = (MonotonicTime(nanoseconds: 5), MonotonicTime(nanoseconds: 1_000_005))
        #expect(late - early == .milliseconds(1))
        #expect(early - late == .milliseconds(-1))
        #expect(early - early == .zero)
    }

    @Test("the difference between the ends of time is clamped, not overflowed")
    func extremeDifference() {
        let zero = MonotonicTime(nanoseconds: 0)
        #expect(MonotonicTime.never - zero == .nanoseconds(Int64.max))
        #expect(zero - MonotonicTime.never == .nanoseconds(-Int64.max))
    }

    @Test("points are ordered by their nanoseconds, and the clock does not go back")
    func order() {
        #expect(MonotonicTime(nanoseconds: 1) < MonotonicTime(nanoseconds: 2))
        #expect(!(MonotonicTime.never < MonotonicTime.never))
        let first = MonotonicTime.now()
        let second = MonotonicTime.now()
        #expect(first <= second)
        #expect(first > MonotonicTime(nanoseconds: 0))
    }

    @Test("a duration's nanoseconds are whole, truncated towards zero and clamped to 64 bits")
    func clampedNanoseconds() {
        #expect(Duration.seconds(1).nanosecondsClamped == 1_000_000_000)
        #expect(Duration.milliseconds(-5).nanosecondsClamped == -5_000_000)
        #expect(Duration(secondsComponent: 0, attosecondsComponent: 999_999_999).nanosecondsClamped == 0)
        #expect(Duration(secondsComponent: 0, attosecondsComponent: 1_999_999_999).nanosecondsClamped == 1)
        #expect(Duration.seconds(Int64.max).nanosecondsClamped == .max)
        #expect(Duration.seconds(Int64.min).nanosecondsClamped == .min)
        #expect(Duration.nanoseconds(Int64.max).nanosecondsClamped == .max)
    }

    @Test("milliseconds keep their fraction")
    func milliseconds() {
        #expect(Duration.microseconds(1_500).milliseconds == 1.5)
        #expect(Duration.seconds(-2).milliseconds == -2_000)
    }
}
