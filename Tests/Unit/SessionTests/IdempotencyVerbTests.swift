import BulkheadAPI
import BulkheadCore
import SessionService
import Testing

@Suite("Idempotency for operators")
struct IdempotencyVerbTests {
    private static let ada = ClaimName(key: "k", tenant: "acme", user: "ada")

    @Test("A claim is shown by its key and owner, in each of its states")
    func show() async throws {
        let bench = try await ClaimBench()
        let admin = bench.administration
        let absent = await #expect(throws: CallError.self) { _ = try await admin.show(Self.ada) }
        #expect(absent?.code == .notFound)
        let run = try await bench.admitted("k", as: "i-1") { $0.streams = true }
        #expect(try await admin.show(Self.ada).summary.state == "reserved")
        #expect(try await bench.dispatch(run))
        try await bench.append(run, 1 ... 4, bytes: 100)
        let running = try await admin.show(Self.ada)
        #expect(running.summary.state == "dispatched" && running.streamPieces == 4 && running.summary.bytes == 400)
        bench.clock.move(ClaimTable.lease)
        #expect(try await admin.show(Self.ada).summary.state == "unknown")
        #expect(try await bench.end(run, lastSeq: 4))
        let ended = try await admin.show(Self.ada)
        #expect(ended.summary.state == "completed" && ended.summary.status == 200 && ended.retained)
        #expect(ended.summary.requestID == "req-i-1" && ended.summary.owner == "user:ada" && ended.summary.fence == 1)
        for other in [
            ClaimName(key: "k", tenant: "acme"), ClaimName(key: "k", tenant: "other", user: "ada"),
            ClaimName(key: "k", tenant: "acme", endUser: "ada"), ClaimName(key: "k", tenant: "acme", keyID: "ada"),
        ] {
            await #expect(throws: CallError.self) { _ = try await admin.show(other) }
        }
        let both = await #expect(throws: CallError.self) {
            _ = try await admin.show(ClaimName(key: "k", tenant: "acme", user: "ada", keyID: "key_1"))
        }
        #expect(both?.code == .invalidArgument)
        bench.clock.move(ClaimBench.retention)
        await #expect(throws: CallError.self) { _ = try await admin.show(Self.ada) }
        #expect(try await admin.list(IdempotencySelection()).isEmpty, "expired and not purged is absent")
    }

    @Test("What is reserved or unknown is given free; what runs or was answered only with force")
    func release() async throws {
        let bench = try await ClaimBench()
        let admin = bench.administration
        _ = try await bench.admitted("k", as: "i-1")
        _ = try await admin.release(ClaimRelease(Self.ada))
        let run = try await bench.stream("k", as: "i-2")
        let inUse = await #expect(throws: CallError.self) { _ = try await admin.release(ClaimRelease(Self.ada)) }
        #expect(inUse?.code == .failedPrecondition)
        for word in ["sent out at 2027-01-15T08:00:00Z", "until 2027-01-15T08:00:30Z, in 30 s", "--force"] {
            #expect(inUse?.message.contains(word) == true, "\(inUse?.message ?? "")")
        }
        bench.clock.move(ClaimTable.lease)
        #expect(try await admin.release(ClaimRelease(Self.ada)).summary.state == "unknown")
        #expect(try await bench.end(run, lastSeq: 0) == false, "the late word of what was given free changes nothing")
        let second = try await bench.admitted("k", as: "i-3")
        #expect(try await bench.settle(second, "{}"))
        await #expect(throws: CallError.self) { _ = try await admin.release(ClaimRelease(Self.ada)) }
        #expect(try await admin.release(ClaimRelease(Self.ada, force: true)).summary.state == "completed")
        _ = try await bench.admitted("k", as: "i-4")
    }

    @Test("The list is filtered by tenant and state, newest first, and bounded")
    func list() async throws {
        let bench = try await ClaimBench()
        let admin = bench.administration
        for (index, state) in ["reserved", "dispatched", "completed", "reserved"].enumerated() {
            bench.clock.move(1)
            let run = try await bench.admitted("k\(index)", as: "i-\(index)")
            if state != "reserved" { #expect(try await bench.dispatch(run)) }
            if state == "completed" { #expect(try await bench.settle(run, "{}")) }
        }
        #expect(try await admin.list(IdempotencySelection()).map(\.state) == ["reserved", "completed", "dispatched", "reserved"])
        #expect(try await admin.list(IdempotencySelection(state: "reserved")).map(\.requestID) == ["req-i-3", "req-i-0"])
        #expect(try await admin.list(IdempotencySelection(limit: 2)).count == 2)
        #expect(try await admin.list(IdempotencySelection(tenant: "other")).isEmpty)
        bench.clock.move(ClaimTable.lease)
        #expect(try await admin.list(IdempotencySelection(state: "unknown")).map(\.requestID) == ["req-i-1"])
        let wrong = await #expect(throws: CallError.self) { _ = try await admin.list(IdempotencySelection(state: "lost")) }
        #expect(wrong?.code == .invalidArgument && wrong?.message.contains("unknown") == true)
        for limit in [0, -1, 10_001] {
            let error = await #expect(throws: CallError.self) { _ = try await admin.list(IdempotencySelection(limit: limit)) }
            #expect(error?.code == .invalidArgument && error?.message.contains("--limit is \(limit)") == true)
        }
    }
}
