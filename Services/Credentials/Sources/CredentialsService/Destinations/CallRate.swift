import BulkheadConfig
import BulkheadCore
import BulkheadResilience
import Synchronization

/// How many calls a destination takes.
package struct RateRule: Sendable, Hashable, Codable {
    /// Calls a minute.
    package var rpm: Int
    /// Calls that may come at once.
    package var burst: Int

    /// Calls a minute, and at once.
    package init(rpm: Int, burst: Int) {
        self.rpm = rpm
        self.burst = burst
    }

    /// Reads `rate` of a destination; nil when it has none.
    init?(_ section: ConfigSection) {
        let bounds = 1 ... 10_000_000
        guard section.isPresent else { return nil }
        let rpm = section.optionalInt("rpm", in: bounds)
        let burst = section.optionalInt("burst", in: bounds)
        guard let rpm else {
            if !section.contains("rpm") { section.report("rpm", found: "nothing", expected: "calls a minute, a whole number") }
            return nil
        }
        self.init(rpm: rpm, burst: burst ?? rpm)
    }
}

/// The calls a destination took lately. Stays when secrets or other destinations change, so that a change grants no calls.
package final class CallRate: Sendable {
    /// What it keeps to.
    package let rule: RateRule
    private let bucket: Mutex<TokenBucket>

    /// A destination that took no calls yet.
    package init(_ rule: RateRule, now: MonotonicTime = .now()) {
        self.rule = rule
        bucket = Mutex(TokenBucket(rate: Double(rule.rpm) / 60, burst: Double(rule.burst), now: now))
    }

    /// Counts a call, or says how long to wait before the next one; nil: counted.
    package func take(now: MonotonicTime = .now()) -> Duration? { bucket.withLock { $0.take(now: now) } }
}
