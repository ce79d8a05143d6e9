import BulkheadAPI
import BulkheadCore
import BulkheadStore
import NIOCore
import SessionService
import Testing

/// The states of a claim, each step on every store. Which answers edge gives to them is told elsewhere.
@Suite("Claims in a durable store")
struct ClaimStateTests {
    @Test("Claimed, dispatched, completed: replayed from then on, over a restart", arguments: StoreUnderTest.all)
    func wholeLife(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        let claims = try await Claims(place)
        #expect(try await claims.claim("a1") == .admitted(fence: 1, isDuplicate: false, streamID: nil))
        #expect(try await claims.claim("a2").isRunning)
        #expect(try await claims.dispatch("a1", fence: 1))
        #expect(try await claims.claim("a2").isRunning)
        #expect(try await claims.complete("a1", fence: 1, "answer"))
        #expect(claims.answer(try await claims.claim("a2")) == "answer")
        #expect(claims.answer(try await Claims(place, claims.clock).claim("a3")) == "answer")
    }

    @Test("Completed twice, the first answer stays", arguments: StoreUnderTest.all)
    func completesOnce(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        #expect(try await claims.complete("a1", fence: 1, "first"))
        #expect(try await claims.complete("a1", fence: 1, "second"))
        #expect(claims.answer(try await claims.claim("a2")) == "first")
    }

    @Test("Another body is a mismatch, in every phase", arguments: StoreUnderTest.all)
    func mismatch(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        #expect(try await claims.claim("a2", body: 2) == .mismatch)
        _ = try await claims.dispatch("a1", fence: 1)
        #expect(try await claims.claim("a2", body: 2) == .mismatch)
        _ = try await claims.complete("a1", fence: 1, "answer")
        #expect(try await claims.claim("a2", body: 2) == .mismatch)
    }

    @Test("Released, the key is free for another body; a completed one is not released", arguments: StoreUnderTest.all)
    func release(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        try await claims.release("a1", fence: 1)
        guard case .admitted(let fence, _, _) = try await claims.claim("a2", body: 2) else {
            Issue.record("a released key is free")
            return
        }
        #expect(try await claims.complete("a2", fence: fence, "answer"))
        try await claims.release("a2", fence: fence)
        #expect(claims.answer(try await claims.claim("a3", body: 2)) == "answer")
    }

    @Test("A reservation whose lease is over is taken over under the next fence", arguments: StoreUnderTest.all)
    func expiredReservation(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        claims.clock.advance(by: ClaimTable.lease - 1)
        #expect(try await claims.claim("a2").isRunning)
        claims.clock.advance(by: 1)
        #expect(try await claims.claim("a2") == .admitted(fence: 2, isDuplicate: false, streamID: nil))
        #expect(try await !claims.dispatch("a1", fence: 1), "the first is told that it lost the claim")
        #expect(try await !claims.complete("a1", fence: 1, "late"))
        try await claims.release("a1", fence: 1)
        #expect(try await claims.claim("a3").isRunning, "and cannot give it away")
        #expect(try await claims.complete("a2", fence: 2, "second"))
        #expect(claims.answer(try await claims.claim("a3")) == "second")
    }

    @Test("A renewed lease holds; one that was lost is told", arguments: StoreUnderTest.all)
    func renew(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        claims.clock.advance(by: 20_000)
        #expect(try await claims.desk.renew([SessionAPI.Held(admissionID: "a1", fence: 1)]).lost.isEmpty)
        claims.clock.advance(by: 20_000)
        #expect(try await claims.claim("a2").isRunning)
        claims.clock.advance(by: ClaimTable.lease)
        #expect(try await claims.claim("a2") == .admitted(fence: 2, isDuplicate: false, streamID: nil))
        let lost = try await claims.desk.renew([
            SessionAPI.Held(admissionID: "a1", fence: 1), SessionAPI.Held(admissionID: "a2", fence: 2),
            SessionAPI.Held(admissionID: "nobody", fence: 1),
        ])
        #expect(lost.lost == ["a1", "nobody"])
    }

    @Test("Dispatched and left, a claim is unknown until its retention is over", arguments: StoreUnderTest.all)
    func unknown(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        _ = try await claims.dispatch("a1", fence: 1)
        claims.clock.advance(by: ClaimTable.lease)
        #expect(try await claims.claim("a2").isUnknown)
        claims.clock.advance(by: Claims.retention - 1)
        #expect(try await claims.claim("a2").isUnknown)
        claims.clock.advance(by: 1)
        guard case .admitted = try await claims.claim("a2") else {
            Issue.record("what is forgotten is free")
            return
        }
    }

    @Test(
        "Given up by its holder, a claim is unknown at once; one that another took meanwhile stays that one's",
        arguments: StoreUnderTest.all)
    func givenUp(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        _ = try await claims.dispatch("a1", fence: 1)
        claims.clock.advance(by: 5000)
        #expect(try await claims.giveUp("a1", fence: 1))
        guard case .unknown(let standing) = try await claims.claim("a2") else {
            Issue.record("nobody will learn what became of it")
            return
        }
        #expect(standing.whenUnknown.contains("ended without an answer"))
        #expect(try await claims.claim("a2", rerun: true) == .admitted(fence: 2, isDuplicate: true, streamID: nil))
        _ = try await claims.dispatch("a2", fence: 2)
        #expect(try await claims.giveUp("a1", fence: 1))
        #expect(try await claims.claim("a3").isRunning)
        #expect(try await claims.complete("a2", fence: 2, "again"))
        #expect(try await claims.giveUp("a2", fence: 2))
        #expect(claims.answer(try await claims.claim("a3")) == "again")
    }

    @Test(
        "A rerun that is asked for takes an unknown claim over, as a duplicate; never one that is held",
        arguments: StoreUnderTest.all)
    func rerun(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        _ = try await claims.dispatch("a1", fence: 1)
        #expect(try await claims.claim("a2", rerun: true).isRunning)
        claims.clock.advance(by: ClaimTable.lease)
        #expect(try await claims.claim("a2", body: 2, rerun: true) == .mismatch)
        #expect(try await claims.claim("a2", rerun: true) == .admitted(fence: 2, isDuplicate: true, streamID: nil))
        #expect(try await !claims.complete("a1", fence: 1, "late"))
        #expect(try await claims.complete("a2", fence: 2, "again"))
        #expect(claims.answer(try await claims.claim("a3")) == "again")
    }

    @Test("A kept answer expires with its retention", arguments: StoreUnderTest.all)
    func expiry(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        _ = try await claims.complete("a1", fence: 1, "answer")
        claims.clock.advance(by: Claims.retention - 1)
        #expect(claims.answer(try await claims.claim("a2", body: 1)) == "answer")
        claims.clock.advance(by: 1)
        guard case .admitted = try await claims.claim("a2", body: 2) else {
            Issue.record("what has expired is free, for any body")
            return
        }
    }

    @Test("An answer that is not kept is told so, and not run again", arguments: StoreUnderTest.all)
    func notRetained(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("a1")
        _ = try await claims.complete("a1", fence: 1, String(repeating: "x", count: ClaimTable.maximumBody + 1))
        guard case .notRetained = try await claims.claim("a2") else {
            Issue.record("an answer above the cap is not kept")
            return
        }
    }

    @Test("Of 100 parallel claims one wins, 50 times over", arguments: StoreUnderTest.all)
    func race(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        for round in 0 ..< 50 {
            let outcomes = try await withThrowingTaskGroup(of: ClaimOutcome.self) { group in
                for index in 0 ..< 100 {
                    group.addTask { try await claims.claim("\(round)-\(index)", key: "round-\(round)") }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(outcomes.count { $0 == .admitted(fence: 1, isDuplicate: false, streamID: nil) } == 1)
            #expect(outcomes.count { $0.isRunning } == 99)
        }
    }

    @Test("Of 100 parallel reruns of an unknown claim one wins", arguments: StoreUnderTest.all)
    func rerunRace(kind: StoreUnderTest) async throws {
        let claims = try await Claims(kind.place())
        _ = try await claims.claim("first")
        _ = try await claims.dispatch("first", fence: 1)
        claims.clock.advance(by: ClaimTable.lease)
        let outcomes = try await withThrowingTaskGroup(of: ClaimOutcome.self) { group in
            for index in 0 ..< 100 { group.addTask { try await claims.claim("again-\(index)", rerun: true) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .admitted(fence: 2, isDuplicate: true, streamID: nil) } == 1)
        #expect(outcomes.count { $0.isRunning } == 99)
    }
}

/// A desk on a store with a clock that is moved by hand.
struct Claims: Sendable {
    static let retention: Int64 = 86_400_000

    let clock: HandClock
    let desk: ClaimDesk

    init(_ place: Place, _ clock: HandClock = HandClock()) async throws {
        self.clock = clock
        desk = try await ClaimDesk.open(try await place.open(clock: clock))
    }

    func claim(
        _ admission: String, key: String = "once", body: UInt8 = 1, rerun: Bool = false
    ) async throws -> ClaimOutcome {
        let request = SessionAPI.AdmitRequest(
            route: "/v1/chat/completions", idempotencyKey: key, requestDigest: ByteBuffer(repeating: body, count: 32),
            rerunsUnknown: rerun, requestID: "r")
        return try await desk.claim(
            request, admission: admission, tenant: "acme", owner: "user:ada", retention: Self.retention
        )
    }

    /// - Returns: whether the claim is still the admission's.
    func dispatch(_ admission: String, fence: Int64) async throws -> Bool {
        try await !desk.dispatch(SessionAPI.DispatchRequest(admissionID: admission, fence: Int(fence))).staleFence
    }

    /// - Returns: whether the claim is still the admission's.
    func complete(_ admission: String, fence: Int64, _ answer: String) async throws -> Bool {
        let stored = SessionAPI.StoredAnswer(
            status: 200, contentType: "application/json", body: ByteBuffer(string: answer), headers: ["x-one: 1", "x-two: 2"])
        return try await desk.settle(
            SessionAPI.SettleRequest(admissionID: admission, status: 200, answer: stored, fence: Int(fence)),
            retention: Self.retention)
    }

    /// What was sent out ended without an answer.
    func giveUp(_ admission: String, fence: Int64) async throws -> Bool {
        try await desk.settle(
            SessionAPI.SettleRequest(admissionID: admission, fence: Int(fence), outcomeUnknown: true), retention: Self.retention)
    }

    /// The run left nothing to replay.
    func release(_ admission: String, fence: Int64) async throws {
        _ = try await desk.settle(
            SessionAPI.SettleRequest(admissionID: admission, fence: Int(fence)), retention: Self.retention)
    }

    func answer(_ outcome: ClaimOutcome) -> String? {
        guard case .replay(let kept) = outcome, kept.status == 200, kept.headers == ["x-one: 1", "x-two: 2"] else { return nil }
        return String(buffer: kept.body)
    }
}

extension ClaimOutcome {
    var isRunning: Bool { if case .running = self { true } else { false } }
    var isUnknown: Bool { if case .unknown = self { true } else { false } }
}
