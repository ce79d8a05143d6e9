import BulkheadAPI
import SessionService
import Testing

@Suite("What is told of a claim that is held")
struct ClaimStandingTests {
    private static let bound: Int64 = 1_800_000_000_000  // 2027-01-15T08:00:00Z

    private func standing(_ outcome: ClaimOutcome) throws -> ClaimStanding {
        switch outcome {
        case .running(let standing), .unknown(let standing): return standing
        default:
            Issue.record("\(outcome)")
            throw CancellationError()
        }
    }

    @Test("While its holder is heard of it runs: ask again in a second")
    func runs() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.admitted("k", as: "i-1") { $0.edgeRun = 7 }
        #expect(try await bench.dispatch(run))
        bench.clock.move(11_000)
        let told = try standing(try await bench.claim("k", as: "i-2") { $0.edgeRun = 7 })
        #expect(!told.isLost && told.retryAfter == 1_000)
        #expect(told.whileHeld.contains("begun at 2027-01-15T08:00:00Z, still runs"))
    }

    @Test("A holder that should have been heard of: when it was sent out, until when it is held, and to ask again then")
    func silent() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.admitted("k", as: "i-1") { $0.edgeRun = 7 }
        bench.clock.move(2_000)
        #expect(try await bench.dispatch(run))
        bench.clock.move(12_000)
        let told = try standing(try await bench.claim("k", as: "i-2") { $0.edgeRun = 7 })
        #expect(told.isLost && told.retryAfter == 18_000)
        for word in ["sent out at 2027-01-15T08:00:02Z", "held for it until 2027-01-15T08:00:32Z", "outcome_unknown"] {
            #expect(told.whileHeld.contains(word), "\(told.whileHeld)")
        }
    }

    @Test("A holder whose process is known to be gone is told at once; what was not sent out runs after the lease")
    func orphan() async throws {
        let bench = try await ClaimBench()
        _ = try await bench.admitted("k", as: "i-1") { $0.edgeRun = 7 }
        bench.clock.move(1_000)
        let told = try standing(try await bench.claim("k", as: "i-2") { $0.edgeRun = 8 })
        #expect(told.isLost && told.retryAfter == 29_000)
        #expect(told.whileHeld.contains("not sent out") && told.whileHeld.contains("until 2027-01-15T08:00:30Z"))
        bench.clock.move(29_000)
        _ = try await bench.admitted("k", as: "i-3") { $0.edgeRun = 8 }
    }

    @Test("An outcome nobody knows is told with its request, when it was sent out and when its holder was heard of last")
    func unknown() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.admitted("k", as: "i-1")
        #expect(try await bench.dispatch(run))
        bench.clock.move(10_000)
        #expect(try await bench.renew(run))
        bench.clock.move(ClaimTable.lease)
        let outcome = try await bench.claim("k", as: "i-2")
        let told = try standing(outcome)
        #expect(outcome.isUnknown && told.requestID == "req-i-1")
        for word in ["sent out at 2027-01-15T08:00:00Z", "last heard of at 2027-01-15T08:00:10Z", "may have been billed"] {
            #expect(told.whenUnknown.contains(word), "\(told.whenUnknown)")
        }
    }

    @Test("A lease from the future asks to wait no longer than one lease")
    func future() {
        let told = ClaimStanding(
            requestID: "r", startedAt: Self.bound, dispatchedAt: nil, leaseUntil: Self.bound + 3_600_000, isOrphan: true,
            now: Self.bound)
        #expect(told.retryAfter == Int(ClaimTable.lease))
    }

    @Test("Admission tells edge so")
    func reply() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        let first = try await bench.admit(made.key, idempotency: "k")
        _ = try await bench.claims.dispatch(
            SessionAPI.DispatchRequest(admissionID: first.admissionID, fence: first.fence))
        let running = try await bench.admit(made.key, idempotency: "k")
        #expect(running.verdict == .idempotencyRunning && running.retryAfterMS == 1_000 && running.reason.contains("still runs"))
        bench.now = bench.now + .seconds(20)
        let lost = try await bench.admit(made.key, idempotency: "k")
        #expect(lost.verdict == .idempotencyRunning && lost.retryAfterMS == 10_000 && lost.reason.contains("sent out at"))
        bench.now = bench.now + .seconds(10)
        let unknown = try await bench.admit(made.key, idempotency: "k")
        #expect(
            unknown.verdict == .outcomeUnknown && unknown.retryAfterMS == 0 && unknown.reason.contains("may have been billed"))
    }
}
