import BulkheadCore

/// Splits a caller's deadline among the calls made on its behalf, so that a child gives up before its caller does and the
/// caller still has time to answer.
///
/// ```
/// let budget = DeadlineBudget(deadline: call.deadline)
/// guard let lookup = budget.child(cap: .milliseconds(50), minimum: .milliseconds(2), now: .now()) else { /* skip the step */ }
/// ```
package struct DeadlineBudget: Sendable, Hashable {
    /// When the caller stops waiting; `.never`: it waits for ever.
    package let deadline: MonotonicTime
    /// Time kept back for the way to the caller: one hop and whatever is done instead when the child is late.
    package let reserve: Duration

    /// - Parameters:
    ///   - deadline: the caller's, absolute.
    ///   - reserve: 5 ms are enough for one hop on a busy host; negative counts as zero.
    package init(deadline: MonotonicTime, reserve: Duration = .milliseconds(5)) {
        self.deadline = deadline
        self.reserve = max(reserve, .zero)
    }

    /// Time a child may use, reserve kept back; zero when there is none, nil without a deadline.
    package func remaining(now: MonotonicTime) -> Duration? {
        deadline == .never ? nil : max(.zero, deadline - now - reserve)
    }

    /// The deadline of a child call: the earliest of `now + cap` and `share` of the remaining time.
    /// - Parameters:
    ///   - cap: the child's own limit; nil: none.
    ///   - share: of the remaining time, 0…1; says nothing without a deadline.
    ///   - minimum: with less than this the child is not worth starting.
    /// - Returns: nil when too little is left: refuse or skip the step instead of calling. Never later than the caller's
    ///   deadline less the reserve, never at or before `now`.
    package func child(
        cap: Duration? = nil, share: Double = 1, minimum: Duration = .zero, now: MonotonicTime
    ) -> MonotonicTime? {
        let part = remaining(now: now).map { share >= 1 ? $0 : $0 * max(0, share) }
        guard let time = [part, cap].compactMap(\.self).min() else { return .never }
        return time > .zero && time >= minimum ? now + time : nil
    }
}
