import BulkheadCore
import EdgeService
import NIOCore
import NIOEmbedded
import Testing

@Suite("The gate")
struct RequestGateTests {
    private let loop = NIOAsyncTestingEventLoop()

    private func gate(limit: Int = 1, depth: Int = 4) -> RequestGate {
        RequestGate(limit: limit, depth: depth, maxWait: .seconds(5), eventLoop: loop)
    }

    private func enter(_ gate: RequestGate, _ tenant: String = "a", deadline: Duration = .seconds(60)) async throws {
        try await gate.enter(.chat) { (.tenant(tenant), .now() + deadline) }
    }

    /// Yields until `count` requests wait.
    private func waiting(_ count: Int, _ gate: RequestGate) async {
        while gate.waiting != count { await Task.yield() }
    }

    @Test("Whose turn it is enters when another leaves")
    func entersInTurn() async throws {
        let gate = gate()
        try await enter(gate)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await enter(gate) }
            await waiting(1, gate)
            gate.leave(.chat)
            try await group.next()
        }
        #expect(gate.running == 1 && gate.waiting == 0)
        gate.leave(.chat)
        #expect(gate.running == 0)
    }

    @Test("A request that waited as long as it may is told so, with a time to come back")
    func timesOut() async throws {
        let gate = gate()
        try await enter(gate)
        let refusal = await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask { await failure { try await enter(gate) } }
            await waiting(1, gate)
            await loop.advanceTime(by: .seconds(6))
            return await group.next() ?? nil
        }
        let error = try #require(refusal as? EdgeError)
        #expect(error.status == 503 && error.code == "overloaded" && error.shouldRetry)
        #expect(try #require(error.retryHint).seconds >= 1)
        #expect(gate.waiting == 0 && gate.running == 1)
    }

    @Test("A request whose caller waits no more does not wait at all")
    func pastDeadline() async throws {
        let gate = gate()
        try await enter(gate)
        #expect(await failure { try await enter(gate, deadline: .zero) } is EdgeError)
        #expect(gate.waiting == 0)
    }

    @Test("A cancelled request leaves the line")
    func cancelled() async throws {
        let gate = gate()
        try await enter(gate)
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask { await failure { try await enter(gate) } }
            await waiting(1, gate)
            group.cancelAll()
            let told = await group.next() ?? nil
            #expect(told is CancellationError)
        }
        #expect(gate.waiting == 0)
        gate.leave(.chat)
        #expect(gate.running == 0)
    }

    @Test("Who is displaced is told, and the other waits in its stead")
    func displaced() async throws {
        let gate = gate(depth: 1)
        try await enter(gate)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let error = await failure { try await gate.enter(.bulk) { (.nobody, .never) } }
                #expect((error as? EdgeError)?.code == "overloaded")
            }
            await waiting(1, gate)
            group.addTask { try await enter(gate, "b") }
            try await group.next()
            await waiting(1, gate)
            gate.leave(.chat)
            try await group.next()
        }
        #expect(gate.running == 1)
    }

    private func stepAside(
        _ gate: RequestGate, _ ticket: UInt64, until: Duration = .seconds(1), deadline: Duration = .seconds(5)
    ) async throws {
        try await gate.stepAside(ticket, .chat, .tenant("a"), until: .now() + until, deadline: .now() + deadline) {}
    }

    @Test("Who steps aside leaves its place to others, and takes one again at its moment or when it is roused")
    func aside() async throws {
        let gate = gate()
        for isRoused in [false, true] {
            try await enter(gate)
            let ticket = gate.nextTicket()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await stepAside(gate, ticket) }
                await waiting(1, gate)
                #expect(gate.running == 0)
                if isRoused { gate.rouse(ticket, at: .now()) }
                await loop.advanceTime(by: isRoused ? .milliseconds(1) : .milliseconds(1001))
                try await group.next()
            }
            #expect(gate.running == 1 && gate.waiting == 0)
            gate.leave(.chat)
        }
    }

    @Test("Who comes back to a full house waits for a place, and not for ever")
    func asideLate() async throws {
        let gate = gate()
        try await enter(gate)
        let ticket = gate.nextTicket()
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask { await failure { try await stepAside(gate, ticket) } }
            await waiting(1, gate)
            #expect(await failure { try await enter(gate) } == nil, "its place is free")
            await loop.advanceTime(by: .milliseconds(1500))
            #expect(gate.waiting == 1)
            await loop.advanceTime(by: .seconds(5))
            #expect((await group.next() ?? nil) is EdgeError)
        }
        #expect(gate.waiting == 0 && gate.running == 1)
    }

    @Test("Who leaves while it is aside is gone, and so is one that left before")
    func asideCancelled() async throws {
        let gate = gate()
        try await enter(gate)
        let ticket = gate.nextTicket()
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask { await failure { try await stepAside(gate, ticket) } }
            await waiting(1, gate)
            group.cancelAll()
            #expect((await group.next() ?? nil) is CancellationError)
            group.addTask { await failure { try await stepAside(gate, ticket) } }
            #expect((await group.next() ?? nil) is CancellationError)
        }
        #expect(gate.waiting == 0)
    }

    private func failure(_ body: () async throws -> Void) async -> (any Error)? {
        do { try await body() } catch { return error }
        return nil
    }
}
