import BulkheadCore
import SessionService
import Testing

@Suite("Request limits")
struct LimitTests {
    private static let start = 1_800_000_000_000_000.0
    private let limits = LocalLimits()

    private func at(_ seconds: Double) -> Double { Self.start + (seconds * 1000).rounded() * 1000 }

    private func key(_ most: Int) -> LimitRule { LimitRule(.requests, .identity(tenant: "t", .key("k")), most: most) }

    private func ask(
        _ rules: LimitRule..., weight: Int = 1, counts: Bool = true, at seconds: Double = 0, in store: LocalLimits? = nil
    ) throws -> LimitAnswer {
        let question = LimitQuestion(tenant: "t", admission: "a", rules: rules, weight: weight, counts: counts)
        return try (store ?? limits).ask(question, now: at(seconds)).answer
    }

    /// (seconds since the start, whether the request is admitted, remaining) at 3 requests per minute.
    private static let schedule: [(at: Double, admitted: Bool, remaining: Int)] = [
        (0, true, 2), (0, true, 1), (0, true, 0), (0, false, 0), (19.999, false, 0), (20, true, 0), (20, false, 0), (60, true, 1),
        (600, true, 2),
    ]

    @Test("A limit admits its burst, then one request per interval")
    func schedule() throws {
        for step in Self.schedule {
            let answer = try ask(key(3), at: step.at)
            #expect(answer.isAdmitted == step.admitted, "at \(step.at) s")
            #expect(answer.standings[0].remaining == step.remaining, "at \(step.at) s")
        }
    }

    @Test("A refusal says when the next request is admitted, and it is")
    func retryAfter() throws {
        for _ in 0 ..< 3 { #expect(try ask(key(3)).isAdmitted) }
        #expect(try ask(key(3)).standings[0].retryAfter == 20_000_000)
        #expect(try ask(key(3), at: 20).isAdmitted)
    }

    @Test("RL16 a request refused by one limit costs nothing at the others")
    func atomic() throws {
        let tenant = LimitRule(.requests, .tenant("t"), most: 1)
        #expect(try ask(key(10), tenant).isAdmitted)
        for _ in 0 ..< 20 { #expect(try ask(key(10), tenant).standings.map(\.isAdmitted) == [true, false]) }
        #expect(try ask(key(10), counts: false).standings[0].remaining == 9)
    }

    @Test("Looking costs nothing and is never refused")
    func look() throws {
        for _ in 0 ..< 10 { #expect(try ask(key(3), counts: false).standings[0].remaining == 3) }
        for _ in 0 ..< 3 { #expect(try ask(key(3)).isAdmitted) }
        #expect(try ask(key(3), counts: false).isAdmitted)
    }

    @Test("RL14 no window of a minute sees more than the limit and its burst, whatever the schedule")
    func anySchedule() throws {
        var random = Xorshift(state: 0x9e37_79b9_7f4a_7c15)
        for _ in 0 ..< 10_000 {
            let store = LocalLimits()
            let most = Int(random.next() % 12) + 1
            var admitted: [Double] = []
            var now = 0.0
            for _ in 0 ..< 40 {
                now += Double(random.next() % (240_000 / UInt64(most))) / 1000
                if try ask(key(most), at: now, in: store).isAdmitted { admitted.append(now) }
            }
            for first in admitted {
                let seen = admitted.count { $0 >= first && $0 < first + 60 }
                guard seen <= 2 * most else {
                    Issue.record("\(seen) of \(most) in a minute: \(admitted)")
                    return
                }
            }
        }
    }

    @Test("RL17 a request counts by its weight, and one above the limit is refused for good")
    func weight() throws {
        #expect(try ask(key(10), weight: 7).standings[0].remaining == 3)
        let refused = try ask(key(10), weight: 4).standings[0]
        #expect(!refused.isAdmitted && !refused.isNever && refused.retryAfter == 6_000_000)
        let never = try ask(key(10), weight: 11).standings[0]
        #expect(never.isNever && never.retryAfter == 0)
    }

    @Test("RL23 tenants and users never share a bucket")
    func isolation() throws {
        let subjects: [LimitSubject] = [
            .identity(tenant: "a", .user("b")), .identity(tenant: "ab", .user("")), .identity(tenant: "b", .user("a")),
            .identity(tenant: "a", .end("b")), .identity(tenant: "a", .key("b")), .tenant("a"), .tenant("b"),
        ]
        for subject in subjects { #expect(try ask(LimitRule(.requests, subject, most: 1)).isAdmitted) }
    }

    @Test("A limit that is changed keeps in mind what was taken")
    func changed() throws {
        for _ in 0 ..< 8 { #expect(try ask(key(10)).isAdmitted) }
        #expect(try !ask(key(5)).isAdmitted)
        #expect(try ask(key(20)).standings[0].remaining == 11)
    }

    @Test("RL20 a share of a limit admits its part of what was left")
    func share() throws {
        for _ in 0 ..< 20 { #expect(try ask(key(60)).isAdmitted) }
        let question = LimitQuestion(tenant: "t", admission: "b", rules: [key(60)])
        let share = LimitShare(suites: 4, epoch: 1)
        let admitted = try (0 ..< 60).count { _ in try limits.ask(question, now: at(0), share: share).answer.isAdmitted }
        #expect(admitted == 10, "a fourth of the 40 that are left")
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

    @Test("A key's own limit replaces that of its own user, not of one it asserts; the tenant's holds over both")
    func policy() {
        var key = KeyRecord(id: "k", digest: KeyDigest(of: "x"), tenant: "t", createdAt: 0)
        let policy = LimitPolicy(perUser: 10, perTenant: 100)
        let itself = LimitSubject.identity(tenant: "t", .key("k"))
        let asserted = LimitSubject.identity(tenant: "t", .user("u"))
        #expect(policy.rules(of: key, .user("u")).map(\.subject) == [asserted, .tenant("t")])
        #expect(policy.rules(of: key, .key("k")).map(\.subject) == [itself, .tenant("t")])
        key.requestsPerMinute = 3
        #expect(policy.rules(of: key, .user("u")).map(\.most) == [3, 10, 100])
        #expect(policy.rules(of: key, .key("k")).map(\.most) == [3, 100])
        key.user = "u"
        #expect(policy.rules(of: key, .user("u")).map(\.most) == [3, 100])
        #expect(LimitPolicy(perUser: nil, perTenant: nil).rules(of: KeyRecord(key), .key("k")).isEmpty)
    }

    @Test("Who a request counts for: the key's user, the asserted one, the one in the body, the key")
    func identity() {
        var key = KeyRecord(id: "k", digest: KeyDigest(of: "x"), tenant: "t", createdAt: 0)
        #expect(Identity(key: key, asserted: "a", end: nil) == .key("k"))
        #expect(Identity(key: key, asserted: "a", end: "e") == .end("e"))
        key.mayAssertUser = true
        #expect(Identity(key: key, asserted: "a", end: "e") == .user("a"))
        key.user = "u"
        #expect(Identity(key: key, asserted: "a", end: "e") == .user("u"))
        let long = String(repeating: "n", count: 100_000)
        key.user = nil
        #expect(Identity(key: key, asserted: long, end: nil).text.utf8.count < 300)
    }
}

extension KeyRecord {
    /// The same without limits of its own.
    fileprivate init(_ other: KeyRecord) {
        self.init(id: other.id, digest: other.digest, tenant: other.tenant, createdAt: 0)
    }
}

extension LimitOutcome {
    /// The answer. - Throws: when the store asks what was spent.
    var answer: LimitAnswer {
        get throws {
            guard case .decided(let answer) = self else { throw Unseeded() }
            return answer
        }
    }

    struct Unseeded: Error {}
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
