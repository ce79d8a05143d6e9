import BulkheadCore
import SessionService
import Testing

@Suite("Request limits")
struct LimitTests {
    private static let start = MonotonicTime(nanoseconds: 5_000_000_000_000)

    /// (seconds since the start, whether the request is admitted, remaining) at 3 requests per minute.
    private static let schedule: [(at: Double, admitted: Bool, remaining: Int)] = [
        (0, true, 2), (0, true, 1), (0, true, 0), (0, false, 0), (19.999, false, 0), (20, true, 0), (20, false, 0), (60, true, 1),
        (600, true, 2),
    ]

    @Test("A limit admits its burst, then one request per interval")
    func schedule() {
        let limits = RequestLimits()
        for step in Self.schedule {
            let now = Self.start + .milliseconds(Int(step.at * 1000))
            let decision = limits.admit([(.key("k"), 3)], count: true, now: now)
            #expect(decision.isAdmitted == step.admitted, "at \(step.at) s")
            #expect(decision.remaining == step.remaining, "at \(step.at) s")
        }
    }

    @Test("A refusal says when the next request is admitted, and it is")
    func retryAfter() {
        let limits = RequestLimits()
        for _ in 0 ..< 3 { _ = limits.admit([(.key("k"), 3)], count: true, now: Self.start) }
        let refused = limits.admit([(.key("k"), 3)], count: true, now: Self.start)
        #expect(refused.retryAfter == .seconds(20))
        #expect(limits.admit([(.key("k"), 3)], count: true, now: Self.start + refused.retryAfter).isAdmitted)
    }

    @Test("A request refused by one limit costs nothing at the others")
    func atomic() {
        let limits = RequestLimits()
        let both: [(subject: LimitSubject, perMinute: Int)] = [(.key("k"), 10), (.tenant("t"), 1)]
        #expect(limits.admit(both, count: true, now: Self.start).isAdmitted)
        for _ in 0 ..< 20 { #expect(!limits.admit(both, count: true, now: Self.start).isAdmitted) }
        #expect(limits.admit([(.key("k"), 10)], count: false, now: Self.start).remaining == 9)
    }

    @Test("Looking costs nothing")
    func look() {
        let limits = RequestLimits()
        for _ in 0 ..< 10 { #expect(limits.admit([(.key("k"), 3)], count: false, now: Self.start).remaining == 3) }
    }

    @Test("No window of a minute sees more than twice the limit, whatever the schedule", arguments: 0 ..< 20)
    func anySchedule(seed: Int) {
        var random = Xorshift(state: UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1)
        let limits = RequestLimits()
        var admitted: [UInt64] = []
        var now = Self.start
        for _ in 0 ..< 500 {
            now = now + .milliseconds(Int(random.next() % 3000))
            if limits.admit([(.user(tenant: "t", user: "u"), 12)], count: true, now: now).isAdmitted {
                admitted.append(now.nanoseconds)
            }
        }
        for first in admitted {
            #expect(admitted.count { $0 >= first && $0 < first + 60_000_000_000 } <= 24)
        }
    }

    @Test("Tenants and users never share a bucket")
    func isolation() {
        let limits = RequestLimits()
        let subjects: [LimitSubject] = [
            .user(tenant: "a", user: "b"), .user(tenant: "ab", user: ""), .user(tenant: "b", user: "a"), .key("a"), .tenant("a"),
        ]
        for subject in subjects { #expect(limits.admit([(subject, 1)], count: true, now: Self.start).isAdmitted) }
    }

    @Test("Memory is bounded, and a subject in use is not forgotten")
    func bounded() {
        var map = RecentMap<Int, Int>(capacity: 100)
        for key in 0 ..< 10_000 {
            map[key] = key
            map[0] = key
            #expect(map.count <= 100)
        }
        #expect(map[0] == 9_999 && map[9_999] == 9_999 && map[1] == nil)
    }

    @Test("A key's own limit replaces that of its user, and the tenant's holds over both")
    func policy() {
        let policy = LimitPolicy(perUser: 10, perTenant: 100)
        var key = KeyRecord(id: "k", digest: KeyDigest(of: "x"), tenant: "t", createdAt: 0)
        #expect(policy.limits(of: key, user: "u").map(\.subject) == [.user(tenant: "t", user: "u"), .tenant("t")])
        #expect(policy.limits(of: key, user: "").map(\.subject) == [.key("k"), .tenant("t")])
        key.requestsPerMinute = 3
        #expect(policy.limits(of: key, user: "u").map(\.perMinute) == [3, 100])
        #expect(
            LimitPolicy(perUser: nil, perTenant: nil).limits(
                of: KeyRecord(id: "k", digest: key.digest, tenant: "t", createdAt: 0), user: ""
            ).isEmpty)
    }
}

/// Random numbers from a seed.
struct Xorshift {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
