import BulkheadAPI
import BulkheadCore
import Logging
import NIOCore
import SessionService
import Testing

@Suite("Idempotency")
struct IdempotencyTests {
    @Test("IK08 a repeated request gets the first answer, byte for byte, also after a restart")
    func replay() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let first = try await bench.admit(key, idempotency: "once")
        #expect(first.verdict == .admitted)
        try await bench.settle(first, answer: #"{"a":"é"}"#)
        let reopened = try await SessionBench(folder: bench.folder)
        let second = try await reopened.admit(key, idempotency: "once")
        #expect(second.verdict == .replay)
        #expect(second.stored?.body == ByteBuffer(string: #"{"a":"é"}"#))
        #expect(second.stored?.status == 200 && second.stored?.headers == ["x-request-id: first"])
    }

    @Test("IK05 IK07 while the first runs, the second is told so; another body is a mismatch")
    func runningAndMismatch() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        _ = try await bench.admit(key, idempotency: "once")
        #expect(try await bench.admit(key, idempotency: "once").verdict == .idempotencyRunning)
        #expect(try await bench.admit(key, idempotency: "once", body: 2).verdict == .idempotencyMismatch)
    }

    @Test("IK12 of 100 parallel requests with one key exactly one runs, 200 times over")
    func parallel() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let (admission, now) = (bench.admission, bench.now)
        for round in 0 ..< 200 {
            let request = bench.request(key, idempotency: "round-\(round)")
            let verdicts = try await withThrowingTaskGroup(of: SessionAPI.Verdict.self) { group in
                for _ in 0 ..< 100 { group.addTask { try await admission.admit(request, now: now).verdict } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(verdicts.count { $0 == .admitted } == 1)
            #expect(verdicts.count { $0 == .idempotencyRunning } == 99)
        }
    }

    @Test("IK14 of 100 parallel requests, half of them with another body, one runs, and nobody gets another's answer")
    func parallelBodies() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let (admission, now) = (bench.admission, bench.now)
        for round in 0 ..< 20 {
            let requests = (0 ..< 100).map {
                (body: UInt8($0 % 2), bench.request(key, idempotency: "r-\(round)", body: UInt8($0 % 2)))
            }
            let replies = try await withThrowingTaskGroup(of: (body: UInt8, SessionAPI.AdmitReply).self) { group in
                for (body, request) in requests { group.addTask { (body, try await admission.admit(request, now: now)) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let winner = try #require(replies.first { $0.1.verdict == .admitted })
            #expect(replies.count { $0.1.verdict == .admitted } == 1)
            #expect(replies.count { $0.body == winner.body && $0.1.verdict == .idempotencyRunning } == 49)
            #expect(replies.count { $0.body != winner.body && $0.1.verdict == .idempotencyMismatch } == 50)
            try await bench.settle(winner.1, answer: "of \(winner.body)")
            for body in [UInt8(0), 1] {
                let again = try await bench.admit(key, idempotency: "r-\(round)", body: body)
                #expect(again.verdict == (body == winner.body ? .replay : .idempotencyMismatch))
                #expect(again.stored.map { $0.body == ByteBuffer(string: "of \(winner.body)") } ?? (body != winner.body))
            }
        }
    }

    @Test("IK28 a step of the host's clock moves neither a lease nor an expiry")
    func hostClock() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let first = try await bench.admit(key, idempotency: "once")
        for step in [-600_000, 600_000, 3_600_000] {
            var stepped = bench.now
            stepped.unixMilliseconds += Int64(step)
            let again = try await bench.admission.admit(bench.request(key, idempotency: "once"), now: stepped)
            #expect(again.verdict == .idempotencyRunning)
        }
        try await bench.settle(first, answer: "{}")
        var stepped = bench.now
        stepped.unixMilliseconds += 90_000_000
        let again = try await bench.admission.admit(bench.request(key, idempotency: "once"), now: stepped)
        #expect(again.verdict == .replay)
    }

    @Test("IK10 a run without an answer gives its key free")
    func forget() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        try await bench.settle(try await bench.admit(key, idempotency: "once"), answer: nil)
        #expect(try await bench.admit(key, idempotency: "once", body: 2).verdict == .admitted)
    }

    @Test("IK35 an answer above the cap is not kept, and its request not run again")
    func cap() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let large = String(repeating: "x", count: ClaimTable.maximumBody + 1)
        try await bench.settle(try await bench.admit(key, idempotency: "once"), answer: large)
        #expect(try await bench.admit(key, idempotency: "once").verdict == .notRetained)
    }

    @Test("IK24 IK27 an answer is kept for its retention after the end, expired and not purged equals absent")
    func expiry() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let first = try await bench.admit(key, idempotency: "once")
        bench.now = bench.now + .seconds(600)
        try await bench.settle(first, answer: "{}")
        bench.now = bench.now + .seconds(86_399)
        #expect(try await bench.admit(key, idempotency: "once").verdict == .replay)
        bench.now = bench.now + .seconds(1)
        #expect(try await bench.admit(key, idempotency: "once").verdict == .admitted)
    }

    @Test("IK39 IK44 a run that crashed before it was sent out blocks its key, over restarts, for one lease and no longer")
    func lease() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let lost = try await bench.admit(key, idempotency: "once")
        let reopened = try await SessionBench(folder: bench.folder)
        reopened.now = bench.now + .milliseconds(ClaimTable.lease - 1)
        #expect(try await reopened.admit(key, idempotency: "once").verdict == .idempotencyRunning)
        reopened.now = bench.now + .milliseconds(ClaimTable.lease)
        let taken = try await reopened.admit(key, idempotency: "once")
        #expect(taken.verdict == .admitted)
        // The first run was only slow: its late answer must not pass for that of the second.
        try await reopened.settle(lost, answer: "late")
        #expect(try await reopened.admit(key, idempotency: "once").verdict == .idempotencyRunning)
        try await reopened.settle(taken, answer: "second")
        #expect(try await reopened.admit(key, idempotency: "once").stored?.body == ByteBuffer(string: "second"))
    }

    @Test("IK42 a run is settled after session was restarted in between")
    func settleAfterRestart() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let admitted = try await bench.admit(key, idempotency: "once")
        let reopened = try await SessionBench(folder: bench.folder)
        try await reopened.settle(admitted, answer: "{}")
        #expect(try await reopened.admit(key, idempotency: "once").verdict == .replay)
    }

    @Test("IK21 IK22 tenants and users do not see each other's answers; keys of one user share them")
    func isolation() async throws {
        let bench = try await SessionBench()
        let ada = try await bench.makeKey("acme") { $0.user = "ada" }
        try await bench.settle(try await bench.admit(ada.key, idempotency: "once"), answer: "ada's")
        let others = [
            try await bench.makeKey("other") { $0.user = "ada" }, try await bench.makeKey("acme") { $0.user = "bob" },
            try await bench.makeKey("acme"),
        ]
        for other in others { #expect(try await bench.admit(other.key, idempotency: "once").verdict == .admitted) }
        let second = try await bench.makeKey("acme") { $0.user = "ada" }
        #expect(try await bench.admit(second.key, idempotency: "once").verdict == .replay)
    }

    @Test("IK10 a request over its limit does not burn its key")
    func limited() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey { $0.rpm = 1 }.key
        #expect(try await bench.admit(key).verdict == .admitted)
        #expect(try await bench.admit(key, idempotency: "once").verdict == .rateLimited)
        bench.now = bench.now + .seconds(60)
        #expect(try await bench.admit(key, idempotency: "once").verdict == .admitted)
    }

    @Test(
        "IK03 malformed keys are refused before the store is asked",
        arguments: ["", " ", "a b", "é", String(repeating: "x", count: 256)])
    func malformed(text: String) async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        let error = await #expect(throws: CallError.self) { _ = try await bench.admit(key, idempotency: text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("IK26 the purge deletes what has expired and nothing else")
    func purge() async throws {
        let bench = try await SessionBench()
        let key = try await bench.makeKey().key
        for name in ["old", "older"] { try await bench.settle(try await bench.admit(key, idempotency: name), answer: "{}") }
        bench.now = bench.now + .seconds(86_000)
        try await bench.settle(try await bench.admit(key, idempotency: "new"), answer: "{}")
        _ = try await bench.admit(key, idempotency: "running")
        bench.now = bench.now + .seconds(401)
        let administration = IdempotencyAdministration(
            desk: bench.claims, retention: 86_400_000, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(try await administration.purge(IdempotencySelection()).purged == 2)
        #expect(try await administration.purge(IdempotencySelection(tenant: "nobody", all: true)).purged == 0)
        #expect(try await administration.purge(IdempotencySelection(all: true)).purged == 1)
        #expect(try await administration.list(IdempotencySelection()).map(\.state) == ["reserved"])
    }
}
