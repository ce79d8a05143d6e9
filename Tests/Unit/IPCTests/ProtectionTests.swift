import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import Glibc
import NIOCore
import Synchronization
import Testing

/// What keeps one kind of call, one consumer or one slow peer from harming the rest.
@Suite("Protection")
struct ProtectionTests {
    static let work = MethodDescriptor(name: "Test.Work", shape: .unary, requestHash: 1, responseHash: 2)
    static let admit = MethodDescriptor(
        name: "Test.Admit", shape: .unary, methodClass: .control, requestHash: 1, responseHash: 2)
    static let listen = MethodDescriptor(name: "Test.Listen", shape: .bidirectional, requestHash: 1, responseHash: 2)

    /// Handlers that wait until they are let go, or answer as told.
    private final class Gate: Sendable {
        let running = Counter()
        let isOpen = Atomic<Bool>(false)
        /// The errors the next calls of `work` end with.
        let errors = Mutex<[CallError]>([])

        func wait(_ call: ServerCall) async throws {
            _ = running.next()
            while !isOpen.load(ordering: .relaxed) { try await call.eventLoop.sleep(.milliseconds(2)) }
        }
    }

    private func connect(
        _ gate: Gate, limits: ClassLimits = ClassLimits(), slow: SlowThresholds = SlowThresholds(),
        breaker: CircuitBreaker.Configuration = CircuitBreaker.Configuration(), memory: MemoryBudget = .process,
        serverLimits: ClassLimits = ClassLimits(), _ body: (IPCLink) async throws -> Void
    ) async throws {
        try await withSocketDirectory { directory in
            let methods = [
                ServerMethod(
                    Self.work,
                    .unary { message, call in
                        if let error = gate.errors.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
                            _ = gate.running.next()
                            throw error.notProcessed ? Refusal(error) as any Error : error
                        }
                        try await gate.wait(call)
                        return message
                    }),
                ServerMethod(Self.admit, .unary { message, _ in message }),
                ServerMethod(Self.listen, .stream { _, call, _ in try await gate.wait(call) }),
            ]
            let server = try await IPCServer.start(
                ServerConfiguration(
                    service: "test", socketPath: directory + "/s", allowedUIDs: [geteuid()], methods: methods, schemas: [],
                    limits: serverLimits, memory: memory),
                eventLoop: RawEnd.loop)
            let link = IPCLink(
                configuration: LinkConfiguration(
                    peer: "test", caller: "good", socketPath: directory + "/s", schemas: [], breaker: breaker, limits: limits,
                    slow: slow),
                eventLoop: RawEnd.loop)
            #expect(await eventually { link.snapshot().state == .ready })
            try await body(link)
            await link.close()
            _ = await server.drain(grace: .milliseconds(100))
        }
    }

    private func call(_ link: IPCLink, _ method: MethodDescriptor, within limit: Duration = .seconds(10)) async -> CallError? {
        do {
            _ = try await link.unary(method, ByteBuffer(), CallOptions(deadline: .now() + limit))
            return nil
        } catch {
            return error as? CallError
        }
    }

    @Test("A class that is full refuses its own calls and no others", arguments: [true, false])
    func bulkheads(onLink: Bool) async throws {
        let (gate, narrow) = (Gate(), ClassLimits(control: 2, unary: 2, stream: 2))
        try await connect(
            gate, limits: onLink ? narrow : ClassLimits(), serverLimits: onLink ? ClassLimits() : narrow
        ) { link in
            async let first = call(link, Self.work)
            async let second = call(link, Self.work)
            #expect(await eventually { gate.running.count == 2 })
            #expect(await call(link, Self.work)?.reason == (onLink ? "link_full" : "too_many_calls"))
            #expect(await call(link, Self.admit) == nil, "admission has places of its own")
            gate.isOpen.store(true, ordering: .relaxed)
            #expect(await [first, second] == [nil, nil])
            #expect(await call(link, Self.work) == nil)
        }
    }

    @Test("Messages nobody takes fill the process's budget, not more; new calls are refused until they are taken")
    func memoryBudget() async throws {
        let (gate, memory) = (Gate(), MemoryBudget(bytes: 1 << 20))
        try await connect(gate, memory: memory) { link in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0 ..< 5 {
                    group.addTask {
                        try await link.stream(Self.listen, CallOptions(deadline: .now() + .seconds(20))) { reader, writer in
                            for _ in 0 ..< 8 { try await writer.write(ByteBuffer(repeating: 1, count: 31 << 10)) }
                            while try await reader.next() != nil {}
                        }
                    }
                }
                #expect(await eventually { memory.used >= memory.bytes })
                #expect(memory.used <= 5 * (256 << 10) + (31 << 10))
                let refused = await call(link, Self.admit)
                #expect(refused?.code == .resourceExhausted)
                #expect(refused?.reason == "memory_budget")
                #expect(refused?.notProcessed == true)
                gate.isOpen.store(true, ordering: .relaxed)
                try await group.waitForAll()
            }
            #expect(await eventually { memory.used == 0 })
            #expect(await call(link, Self.admit) == nil)
        }
    }

    @Test("Calls that run too long open the breaker while they still run")
    func slowCalls() async throws {
        let gate = Gate()
        let breaker = CircuitBreaker.Configuration(failures: 1000, minRequests: 10, openFor: .seconds(20))
        try await connect(gate, slow: SlowThresholds(unary: .milliseconds(100)), breaker: breaker) { link in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0 ..< 10 { group.addTask { _ = await call(link, Self.work) } }
                #expect(await eventually { link.snapshot().breaker == "open" })
                #expect(link.snapshot().inFlight == 10)
                #expect(await call(link, Self.admit)?.reason == "breaker_open")
                gate.isOpen.store(true, ordering: .relaxed)
                try await group.waitForAll()
            }
        }
    }

    @Test("A refused call is tried once more when it was not processed and the peer says when")
    func pushback() async throws {
        func refusal(_ code: StatusCode, _ retryAfter: Duration?, notProcessed: Bool = true) -> CallError {
            CallError(code, reason: "busy", message: "busy", retryAfter: retryAfter, notProcessed: notProcessed)
        }
        let cases: [(CallError, Int)] = [
            (refusal(.resourceExhausted, .milliseconds(30)), 2),
            (refusal(.resourceExhausted, .zero), 2),
            (refusal(.resourceExhausted, .milliseconds(-1)), 1),
            (refusal(.resourceExhausted, nil), 1),
            (refusal(.resourceExhausted, .milliseconds(30), notProcessed: false), 1),
            (refusal(.resourceExhausted, .seconds(5)), 1),
            (refusal(.unavailable, nil), 2),
            (refusal(.unavailable, .milliseconds(-1)), 1),
            (refusal(.unavailable, nil, notProcessed: false), 1),
        ]
        for (error, tries) in cases {
            let gate = Gate()
            gate.isOpen.store(true, ordering: .relaxed)
            gate.errors.withLock { $0 = [error] }
            try await connect(gate) { link in
                let start = MonotonicTime.now()
                let result = await call(link, Self.work)
                #expect(gate.running.count == tries, "\(error)")
                #expect((result == nil) == (tries == 2), "\(error)")
                if tries == 2, let wait = error.retryAfter { #expect(MonotonicTime.now() - start >= wait) }
            }
        }
    }

    @Test("Second tries of refused calls stay within the link's budget")
    func retryBudget() async throws {
        let gate = Gate()
        let busy = CallError(.resourceExhausted, reason: "busy", message: "", retryAfter: .zero, notProcessed: true)
        gate.errors.withLock { $0 = Array(repeating: busy, count: 1000) }
        try await connect(gate) { link in
            for _ in 0 ..< 200 { #expect(await call(link, Self.work) != nil) }
            // A tenth of the calls and three a second for ten seconds.
            #expect(gate.running.count - 200 <= 20 + 30)
            #expect(gate.running.count > 200)
        }
    }
}
