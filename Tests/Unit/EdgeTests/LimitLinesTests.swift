import BulkheadAPI
import BulkheadCore
import EdgeService
import Testing

@Suite("The lines of limits")
struct LimitLinesTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let one = LimitCost(weight: 1, tokens: 0)

    private func at(_ milliseconds: Int) -> MonotonicTime { start + .milliseconds(milliseconds) }

    /// A refusal by a limit of so many requests a minute.
    private func refusal(_ limit: Int = 600, scope: String = "key", key: String = "k") throws -> LimitRefusal {
        var reply = SessionAPI.AdmitReply()
        reply.verdict = .rateLimited
        (reply.keyID, reply.tenant) = (key, "t")
        reply.requests = SessionAPI.RateLimit(limit: limit, remaining: 0, resetMS: 60_000, retryAfterMS: 100, scope: scope)
        return try #require(LimitRefusal(reply, endUser: nil))
    }

    @discardableResult
    private func refused(_ lines: inout LimitLines, _ ticket: UInt64, _ wait: Int = 100, until: Int = 1000) throws
        -> LimitLines.Answer
    {
        lines.refused(ticket, try refusal(), one, wait: .milliseconds(wait), now: start, until: at(until)).answer
    }

    private func follow(_ lines: inout LimitLines, _ ticket: UInt64, until: Int = 1000) -> LimitLines.Answer {
        lines.follow(ticket, [.tenant("t"), .key("k")], one, now: start, until: at(until))
    }

    @Test("Without a line nobody follows; the first that is refused makes one")
    func first() throws {
        var lines = LimitLines()
        #expect(follow(&lines, 1) == .free && lines.isEmpty)
        #expect(try refused(&lines, 1) == .waits)
        #expect(lines.isFirst(1) && lines.standing(1)?.due == at(100))
    }

    @Test("Who comes later waits behind, as long as the limit takes for those before it, and not beyond its time")
    func order() throws {
        var lines = LimitLines()
        try refused(&lines, 1)
        for ticket in 2 ... 10 { #expect(follow(&lines, UInt64(ticket)) == .waits) }
        #expect(lines.standing(10)?.due == at(1000), "600 a minute are one in 100 ms")
        #expect(follow(&lines, 11) == .tooLong(.milliseconds(1100)))
        #expect((2 ... 10).allSatisfy { !lines.isFirst(UInt64($0)) })
        for ticket in 1 ... 9 {
            let next = lines.leave(UInt64(ticket), isAdmitted: true, now: at(ticket * 100))
            #expect(next == LimitLines.Turn(ticket: UInt64(ticket) + 1, due: at(ticket * 100 + 100)))
        }
        #expect(lines.leave(10, isAdmitted: true, now: at(1000)) == nil && lines.isEmpty)
    }

    @Test("Who gives up is no reason to wait")
    func givesUp() throws {
        var lines = LimitLines()
        try refused(&lines, 1)
        for ticket in 2 ... 4 { #expect(follow(&lines, UInt64(ticket)) == .waits) }
        #expect(lines.leave(3, isAdmitted: false, now: at(10)) == nil)
        #expect(lines.standing(4)?.due == at(300))
        #expect(lines.leave(1, isAdmitted: false, now: at(20)) == LimitLines.Turn(ticket: 2, due: at(100)))
        #expect(lines.standing(4)?.due == at(200))
    }

    @Test("A first one that is refused again stays first, and those behind it move with it")
    func again() throws {
        var lines = LimitLines()
        try refused(&lines, 1)
        #expect(follow(&lines, 2) == .waits)
        #expect(try refused(&lines, 1, 300) == .waits)
        #expect(lines.isFirst(1) && lines.standing(1)?.due == at(300) && lines.standing(2)?.due == at(400))
        #expect(try refused(&lines, 1, 1200) == .tooLong(.milliseconds(1200)))
        #expect(lines.leave(1, isAdmitted: false, now: at(300))?.ticket == 2)
    }

    @Test("Two that session refused together are served in the order in which they were told")
    func together() throws {
        var lines = LimitLines()
        #expect(try refused(&lines, 7) == .waits && refused(&lines, 3) == .waits)
        #expect(lines.isFirst(7) && lines.standing(3)?.due == at(200))
    }

    @Test("A request that another limit refuses changes its line")
    func other() throws {
        var lines = LimitLines()
        try refused(&lines, 1)
        #expect(follow(&lines, 2) == .waits)
        let tenant = try refusal(scope: "tenant")
        let (answer, next) = lines.refused(1, tenant, one, wait: .milliseconds(50), now: start, until: at(1000))
        #expect(answer == .waits && next?.ticket == 2 && lines.isFirst(1) && lines.isFirst(2))
        #expect(follow(&lines, 3) == .waits && !lines.isFirst(3) && lines.standing(3)?.refusal == tenant)
    }

    @Test("A limit of tokens is no reason to wait for who takes none")
    func kinds() throws {
        var reply = SessionAPI.AdmitReply()
        reply.verdict = .rateLimited
        reply.keyID = "k"
        reply.tokens = SessionAPI.RateLimit(limit: 6000, remaining: 0, resetMS: 60_000, retryAfterMS: 100, scope: "key")
        let refusal = try #require(LimitRefusal(reply, endUser: nil))
        var lines = LimitLines()
        let many = LimitCost(weight: 1, tokens: 20)
        #expect(lines.refused(1, refusal, many, wait: .milliseconds(100), now: start, until: at(1000)).answer == .waits)
        #expect(lines.follow(2, [.key("k")], one, now: start, until: at(1000)) == .free)
        #expect(lines.follow(3, [.key("k")], many, now: start, until: at(1000)) == .waits)
        #expect(lines.standing(3)?.due == at(300), "6000 a minute are 20 in 200 ms")
    }

    @Test(
        "Nobody waits for money, for a place in a circle, or for what never comes",
        arguments: [
            SessionAPI.Verdict.budgetExceeded, .spendFrozen, .runaway, .costAboveLimit, .tenantBlocked, .scopeRefused,
            .idempotencyRunning, .idempotencyMismatch, .keyRefused,
        ])
    func never(_ verdict: SessionAPI.Verdict) {
        var reply = SessionAPI.AdmitReply()
        reply.verdict = verdict
        reply.retryAfterMS = 100
        reply.requests = SessionAPI.RateLimit(limit: 1, remaining: 0, resetMS: 100, retryAfterMS: 100, scope: "key")
        #expect(LimitRefusal(reply, endUser: nil) == nil)
    }
}
