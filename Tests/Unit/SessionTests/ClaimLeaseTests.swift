import BulkheadAPI
import BulkheadCore
import NIOCore
import SessionService
import Testing

@Suite("Claims, their leases and fences")
struct ClaimLeaseTests {
    @Test("IK39 what was reserved and not sent out is taken over after its lease, under the next fence, by the same request only")
    func takeover() async throws {
        let bench = try await ClaimBench()
        let first = try await bench.admitted("k", as: "i-1")
        bench.clock.move(ClaimTable.lease - 1)
        #expect(try await bench.claim("k", as: "i-2").isRunning)
        bench.clock.move(1)
        #expect(try await bench.claim("k", as: "i-3", body: 2) == .mismatch)
        let second = try await bench.admitted("k", as: "i-4")
        #expect(second.fence == first.fence + 1)
        #expect(try await bench.dispatch(first) == false, "the first must not go on")
        #expect(try await bench.dispatch(second))
    }

    @Test("IK40 what was sent out and not answered is unknown after its lease, and is not run again by itself")
    func unknown() async throws {
        let bench = try await ClaimBench()
        let first = try await bench.admitted("k", as: "i-1")
        #expect(try await bench.dispatch(first))
        bench.clock.move(ClaimTable.lease)
        #expect(try await bench.claim("k", as: "i-2").isUnknown)
        #expect(try await bench.claim("k", as: "i-2", body: 2) { $0.rerunsUnknown = true } == .mismatch)
        bench.clock.move(ClaimBench.retention - 1)
        #expect(try await bench.claim("k", as: "i-3").isUnknown)
        bench.clock.move(1)
        #expect(try await bench.claim("k", as: "i-4", body: 2) == .admitted(fence: 2, isDuplicate: false, streamID: nil))
    }

    @Test("IK40 of many who ask for a rerun one runs, marked as a possible duplicate, and the answer of either run counts once")
    func rerun() async throws {
        let bench = try await ClaimBench()
        let first = try await bench.admitted("k", as: "i-1")
        #expect(try await bench.dispatch(first))
        #expect(try await bench.claim("k", as: "i-0") { $0.rerunsUnknown = true }.isRunning, "its outcome is not unknown yet")
        bench.clock.move(ClaimTable.lease)
        let outcomes = try await withThrowingTaskGroup(of: ClaimOutcome.self) { group in
            for index in 0 ..< 50 { group.addTask { try await bench.claim("k", as: "i-r\(index)") { $0.rerunsUnknown = true } } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .admitted(fence: 2, isDuplicate: true, streamID: nil) } == 1)
        #expect(outcomes.count { $0.isRunning } == 49)
        #expect(try await bench.settle(first, "late") == false)
        #expect(bench.staleFences == 1)
    }

    @Test("IK40 a rerun that never began leaves the outcome unknown: released, or left until its lease is over")
    func rerunReleased() async throws {
        let bench = try await ClaimBench()
        let first = try await bench.admitted("k", as: "i-1")
        #expect(try await bench.dispatch(first))
        bench.clock.move(ClaimTable.lease)
        let second = try await bench.admitted("k", as: "i-2") { $0.rerunsUnknown = true }
        #expect(try await bench.settle(second, nil))
        #expect(try await bench.claim("k", as: "i-3").isUnknown)
        _ = try await bench.admitted("k", as: "i-4") { $0.rerunsUnknown = true }
        #expect(try await bench.claim("k", as: "i-5").isRunning)
        bench.clock.move(ClaimTable.lease)
        #expect(try await bench.claim("k", as: "i-6").isUnknown)
        let last = try await bench.admitted("k", as: "i-7") { $0.rerunsUnknown = true }
        #expect(try await bench.dispatch(last))
        #expect(try await bench.settle(last, "done"))
        guard case .replay = try await bench.claim("k", as: "i-8") else { return #expect(Bool(false), "no replay") }
    }

    @Test("IK25 a run that is renewed never expires, and is not purged")
    func renewed() async throws {
        let bench = try await ClaimBench(retention: 60_000)
        let run = try await bench.admitted("k", as: "i-1")
        #expect(try await bench.dispatch(run))
        for _ in 0 ..< 100 {
            bench.clock.move(10_000)
            guard try await bench.renew(run) else { return #expect(Bool(false), "lost") }
        }
        #expect(try await bench.administration.purge(IdempotencySelection(all: true)).purged == 0)
        #expect(try await bench.claim("k", as: "i-2").isRunning)
        #expect(try await bench.settle(run, "{}"))
    }

    @Test("IK29 a lease written under a clock that was ahead blocks for one lease at most")
    func future() async throws {
        let bench = try await ClaimBench()
        bench.clock.move(600_000)
        _ = try await bench.admitted("reserved", as: "i-1")
        #expect(try await bench.dispatch(try await bench.admitted("dispatched", as: "i-2")))
        bench.clock.move(-600_000)
        #expect(try await bench.claim("reserved", as: "i-3").isRunning)
        #expect(try await bench.claim("dispatched", as: "i-4").isRunning)
        bench.clock.move(ClaimTable.lease)
        _ = try await bench.admitted("reserved", as: "i-5")
        #expect(try await bench.claim("dispatched", as: "i-6").isUnknown)
    }

    @Test("IK43 an answer reported twice is kept once, and both reports are told so")
    func completeTwice() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.admitted("k", as: "i-1")
        #expect(try await bench.settle(run, "first"))
        #expect(try await bench.settle(run, "second"))
        guard case .replay(let kept) = try await bench.claim("k", as: "i-2") else { return #expect(Bool(false), "no replay") }
        #expect(kept.body == ByteBuffer(string: "first") && kept.requestID == "req-i-1")
        #expect(try await bench.renew(run), "completed is not lost")
        #expect(bench.staleFences == 0)
    }

    @Test("IK43 an admission asked for again, as its reply was lost, is the same admission")
    func admittedTwice() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.admitted("k", as: "i-1") { $0.streams = true }
        let again = try await bench.admitted("k", as: "i-1") { $0.streams = true }
        #expect(again.fence == run.fence && again.stream == run.stream)
        #expect(try await bench.claim("k", as: "i-2").isRunning)
    }

    @Test("IK44 the late word of a paused run is refused and counted, whatever it is, and the other's answer stays")
    func paused() async throws {
        let bench = try await ClaimBench()
        let paused = try await bench.stream("k", as: "i-1")
        bench.clock.move(60_000)
        let other = try await bench.admitted("k", as: "i-2") { request in
            request.streams = true
            request.rerunsUnknown = true
        }
        #expect(try await bench.dispatch(paused) == false)
        #expect(try await bench.append(paused, 1 ... 2).staleFence)
        #expect(try await bench.renew(paused) == false)
        #expect(try await bench.end(paused, lastSeq: 2) == false)
        #expect(bench.staleFences == 4)
        #expect(try await bench.append(other, 1 ... 3) == SessionAPI.AppendStreamReply())
        #expect(try await bench.end(other, lastSeq: 3))
        #expect(try await bench.end(paused, lastSeq: 2) == false)
        #expect(try await bench.read(other.stream).numbers == [1, 2, 3])
    }

    @Test("IK09 IK11 what edge reports with an answer is replayed whatever its status; without one the key is free")
    func statuses() async throws {
        let bench = try await ClaimBench()
        for (index, status) in [400, 404, 422, 500, 503].enumerated() {
            let run = try await bench.admitted("k\(status)", as: "i-a\(index)")
            #expect(try await bench.dispatch(run))
            #expect(try await bench.settle(run, "no", status: status))
            guard case .replay(let kept) = try await bench.claim("k\(status)", as: "i-b\(index)") else {
                return #expect(Bool(false), "no replay")
            }
            #expect(kept.status == status)
        }
        let run = try await bench.admitted("free", as: "i-c")
        #expect(try await bench.dispatch(run))
        #expect(try await bench.settle(run, nil))
        #expect(try await bench.settle(run, nil), "given free already")
        _ = try await bench.admitted("free", as: "i-d")
    }

    @Test("IK22 with the scope of the tenant its users share a key, and without it they do not")
    func tenantScope() async throws {
        let bench = try await ClaimBench()
        let shared: (inout SessionAPI.AdmitRequest) -> Void = { $0.tenantScope = true }
        let first = try await bench.admitted("k", as: "i-1", shared)
        #expect(try await bench.settle(first, "shared"))
        let bob = try await bench.claim("k", as: "i-2", owner: ClaimOwner.user("bob"), shared)
        guard case .replay = bob else { return #expect(Bool(false), "not shared: \(bob)") }
        let own = try await bench.claim("k", as: "i-3", owner: ClaimOwner.user("bob"))
        #expect(own == .admitted(fence: 1, isDuplicate: false, streamID: nil))
        let foreign = try await bench.claim("k", as: "i-4", tenant: "other", shared)
        #expect(foreign == .admitted(fence: 1, isDuplicate: false, streamID: nil))
    }

    @Test("IK23 for a key that another tenant or user holds the store does what it does for one that nobody holds")
    func timing() async throws {
        let bench = try await ClaimBench()
        let run = try await bench.admitted("held", as: "i-1")
        #expect(try await bench.settle(run, String(repeating: "x", count: 100_000)))
        _ = bench.statements.take()
        var seen: [[String]] = []
        for (index, (key, tenant, owner)) in [
            ("held", "other", ClaimOwner.user("ada")), ("held", "acme", ClaimOwner.user("bob")),
            ("nobody's", "acme", ClaimOwner.user("ada")),
        ].enumerated() {
            let outcome = try await bench.claim(key, as: "i-t\(index)", tenant: tenant, owner: owner)
            #expect(outcome == .admitted(fence: 1, isDuplicate: false, streamID: nil))
            seen.append(bench.statements.take())
        }
        #expect(Set(seen).count == 1 && seen.first == ["claim.take"])
    }

    @Test("IK26 a purge deletes no more than its batch at once, nothing younger than its time, and the pieces of streams with it")
    func purge() async throws {
        let bench = try await ClaimBench()
        for index in 0 ..< 30 {
            let run = try await bench.stream("old-\(index)", as: "i-\(index)")
            try await bench.append(run, 1 ... 20, bytes: 20_000)
            #expect(try await bench.end(run, lastSeq: 20))
        }
        bench.clock.move(ClaimBench.retention - 1)
        let young = try await bench.stream("young", as: "i-young")
        try await bench.append(young, 1 ... 3)
        let lost = try await bench.stream("lost", as: "i-lost")
        try await bench.append(lost, 1 ... 3)
        #expect(try await bench.end(young, lastSeq: 3))
        #expect(try await bench.administration.purge(IdempotencySelection()).purged == 0)
        bench.clock.move(1)
        #expect(try await bench.administration.purge(IdempotencySelection()).purged == 30)
        #expect(try await bench.rows("stream_gone") == 30)
        bench.clock.move(60_000)
        #expect(try await bench.administration.purge(IdempotencySelection()).purged == 0)
        #expect(try await bench.rows("stream_gone") == 0)
        #expect(try await bench.rows("stream_piece") == 2, "one row each of the young and the lost stream")
        #expect(try await bench.read(young.stream).numbers == [1, 2, 3])
        bench.clock.move(ClaimBench.retention + ClaimTable.lease)
        #expect(try await bench.administration.purge(IdempotencySelection()).purged == 2)
        bench.clock.move(60_000)
        _ = try await bench.administration.purge(IdempotencySelection())
        #expect(try await bench.rows("stream_piece") == 0)
        #expect(try await bench.rows("claim") == 0)
    }
}
