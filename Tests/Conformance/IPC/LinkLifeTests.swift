import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing

@Suite("The life of a link")
struct LinkLifeTests {
    let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func server(
        _ path: String, _ service: TestService, callers: [String: Set<UInt32>] = [:], uids: Set<UInt32> = [geteuid()]
    )
        async throws -> IPCServer
    {
        try await IPCServer.start(
            ServerConfiguration(
                service: "test", socketPath: path, allowedUIDs: uids, allowedCallers: callers, methods: service.methods,
                schemas: [TestService.schema], limits: ClassLimits(each: 64)),
            eventLoop: loop)
    }

    private func link(_ path: String, peer: String = "test") -> IPCLink {
        IPCLink(
            configuration: LinkConfiguration(peer: peer, caller: "suite", socketPath: path, schemas: [TestService.schema]),
            eventLoop: loop)
    }

    private func options(_ limit: Duration = .seconds(5), wait: Duration = .seconds(1)) -> CallOptions {
        CallOptions(deadline: .now() + limit, waitForReady: wait)
    }

    @Test("A link that was there first uses the server soon after it starts")
    func lateServer() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let link = link(directory.path + "/s")
        let early = await callError { try await link.unary(TestService.echo, ByteBuffer(), options(wait: .zero)) }
        #expect(early?.code == .unavailable)
        #expect(await eventually { link.snapshot().state == .down })
        let server = try await server(directory.path + "/s", TestService())
        let start = MonotonicTime.now()
        #expect(await eventually { link.snapshot().state == .ready })
        #expect(MonotonicTime.now() - start < .milliseconds(800))
        let reply = try await link.unary(TestService.empty, ByteBuffer(), options()).readableBytes
        #expect(reply == 0)
        await link.close()
        #expect(await server.drain(grace: .seconds(1)) == 0)
    }

    @Test("A restarted server is a new instance and is used again; calls in between wait for it")
    func restart() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/s"
        let first = try await server(path, TestService())
        let link = link(path)
        _ = try await link.unary(TestService.empty, ByteBuffer(), options())
        let before = link.snapshot().peerInstance
        #expect(await first.drain(grace: .seconds(1)) == 0)
        async let waiting = link.unary(TestService.empty, ByteBuffer(), options(wait: .seconds(1)))
        let second = try await server(path, TestService())
        _ = try await waiting
        #expect(link.snapshot().peerInstance != before)
        await link.close()
        _ = await second.drain(grace: .seconds(1))
    }

    @Test("A peer that finished a long call before it ended is waited for like any that restarts")
    func restartAfterLongDrain() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let path = directory.path + "/s"
        let service = TestService()
        let first = try await server(path, service)
        let link = link(path)
        async let long = callError { try await link.unary(TestService.hang, ByteBuffer(), options()) }
        #expect(await eventually { service.started.load(ordering: .relaxed) == 1 })
        // Longer than a restart may take.
        #expect(await first.drain(grace: .milliseconds(1500)) == 1)
        _ = await long
        async let waiting = link.unary(TestService.empty, ByteBuffer(), options(wait: .seconds(1)))
        let second = try await server(path, TestService())
        _ = try await waiting
        await link.close()
        _ = await second.drain(grace: .seconds(1))
    }

    @Test("Drain lets running calls end, cuts off what does not, and says how many")
    func drain() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let service = TestService()
        let server = try await server(directory.path + "/s", service)
        let link = link(directory.path + "/s")
        async let cut = callError { try await link.unary(TestService.hang, ByteBuffer(), options()) }
        #expect(await eventually { service.started.load(ordering: .relaxed) == 1 })
        #expect(await server.drain(grace: .milliseconds(50)) == 1)
        let error = await cut
        #expect(error?.code == .unavailable)
        #expect(error?.reason == "shutting_down")
        await link.close()
    }

    @Test("Health is pushed when it changes")
    func health() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let server = try await server(directory.path + "/s", TestService())
        let link = link(directory.path + "/s")
        let seen = Mutex<[String]>([])
        link.onChange { snapshot in seen.withLock { $0.append(snapshot.peerHealth ?? "-") } }
        #expect(await eventually { link.snapshot().peerHealth == "starting" })
        server.setHealth(PeerHealth(state: .degraded, reason: "no store"))
        #expect(await eventually { link.snapshot().peerHealth == "degraded" && link.snapshot().peerReason == "no store" })
        #expect(await eventually { seen.withLock { $0.contains("degraded") } })
        await link.close()
        _ = await server.drain(grace: .seconds(1))
    }

    @Test("A uid that is not on the list is closed at once and counted")
    func foreignUID() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let server = try await server(directory.path + "/s", TestService(), uids: [4_000_000])
        let link = link(directory.path + "/s")
        #expect(await eventually { server.snapshot().rejected > 0 })
        #expect(link.snapshot().state != .ready)
        #expect(server.snapshot().connections == 0)
        await link.close()
        _ = await server.drain(grace: .zero)
    }

    @Test("A caller that is not on the list is refused with the reason")
    func foreignCaller() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let server = try await server(directory.path + "/s", TestService(), callers: ["router": [], "suite": [geteuid() + 1]])
        let link = link(directory.path + "/s")
        #expect(await eventually { link.snapshot().lastError?.contains("suite may not call test") == true })
        await link.close()
        _ = await server.drain(grace: .zero)
    }

    @Test("Another service at the socket makes the link incompatible")
    func wrongService() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let server = try await server(directory.path + "/s", TestService())
        let link = link(directory.path + "/s", peer: "vault")
        #expect(await eventually { link.snapshot().state == .incompatible })
        await link.close()
        _ = await server.drain(grace: .zero)
    }

    @Test("Beyond the limit of concurrent calls a call is refused as not processed")
    func overload() async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let service = TestService()
        let server = try await server(directory.path + "/s", service)
        let link = link(directory.path + "/s")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0 ..< 64 {
                group.addTask { _ = await callError { try await link.unary(TestService.hang, ByteBuffer(), options()) } }
            }
            #expect(await eventually { service.started.load(ordering: .relaxed) == 64 })
            let error = await callError { try await link.unary(TestService.echo, ByteBuffer(), options()) }
            #expect(error?.code == .resourceExhausted)
            #expect(error?.notProcessed == true)
            group.cancelAll()
        }
        await link.close()
        _ = await server.drain(grace: .seconds(1))
    }

    @Test("A message over the limit fails its stream only")
    func tooLarge() async throws {
        try await Pair.with(.socket) { pair in
            let error = await callError {
                try await pair.unary(TestService.echo, ByteBuffer(repeating: 0, count: (16 << 20) + 1))
            }
            #expect(error?.code == .resourceExhausted)
            let reply = await callError { try await pair.unary(TestService.sized, ByteBuffer(integer: UInt32(17 << 20))) }
            #expect(reply?.reason == "message_too_large")
            let reply1 = try await pair.unary(TestService.echo, ByteBuffer(string: "x"))
            #expect(reply1 == ByteBuffer(string: "x"))
        }
    }

    @Test("Closing the link ends its calls")
    func close() async throws {
        try await Pair.with(.socket) { pair in
            async let error = callError { try await pair.unary(TestService.hang) }
            #expect(await eventually { pair.service.started.load(ordering: .relaxed) == 1 })
            await pair.link.close()
            #expect(await error?.code == .unavailable)
            #expect(await eventually { pair.service.cancelled.load(ordering: .relaxed) == 1 })
        }
    }

    @Test("A forced breaker rejects with a time to come again, and lets through when released")
    func forced() async throws {
        try await Pair.with(.memory) { pair in
            _ = try await pair.unary(TestService.empty)
            pair.link.forceBreaker(open: true)
            #expect(await eventually { pair.link.snapshot().breaker == "forced-open" })
            let error = await callError { try await pair.unary(TestService.empty) }
            #expect(error?.reason == "breaker_open")
            #expect(error?.retryAfter != nil)
            pair.link.forceBreaker(open: nil)
            #expect(await eventually { pair.link.snapshot().breaker == "closed" })
            _ = try await pair.unary(TestService.empty)
        }
    }

    @Test("A connection that runs out of stream ids is replaced, and nobody notices")
    func streamIDs() async throws {
        let service = TestService()
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let server = try await IPCServer.start(
            ServerConfiguration(
                service: "test", socketPath: directory.path + "/s", allowedUIDs: [geteuid()], methods: service.methods,
                schemas: [TestService.schema]),
            eventLoop: loop)
        let link = IPCLink(
            configuration: LinkConfiguration(
                peer: "test", caller: "suite", socketPath: directory.path + "/s", schemas: [TestService.schema],
                firstStream: (1 << 31) - 5),
            eventLoop: loop)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0 ..< 40 {
                group.addTask {
                    let message = ByteBuffer(integer: index)
                    let options = CallOptions(deadline: .now() + .seconds(10), waitForReady: .seconds(2))
                    let reply = try await link.unary(TestService.echo, message, options)
                    #expect(reply == message)
                }
            }
            try await group.waitForAll()
        }
        #expect(link.snapshot().failures == 0)
        await link.close()
        _ = await server.drain(grace: .seconds(1))
    }

    @Test("A handler that fails without a word opens the breaker; refusals of a living peer do not")
    func breaker() async throws {
        try await Pair.with(.memory) { pair in
            for _ in 0 ..< 40 {
                let error = await callError {
                    try await pair.unary(TestService.fail, ByteBuffer(integer: StatusCode.unavailable.rawValue))
                }
                #expect(error?.origin == "test")
            }
            #expect(pair.link.snapshot().breaker == "closed")
            for _ in 0 ..< 5 {
                _ = await callError { try await pair.unary(TestService.fail, ByteBuffer(integer: UInt32(0))) }
            }
            #expect(pair.link.snapshot().breaker == "open")
            let error = await callError { try await pair.unary(TestService.empty) }
            #expect(error?.reason == "breaker_open")
            #expect(await eventually { pair.link.snapshot().breaker == "open" })
            try await loop.sleep((error?.retryAfter ?? .zero) + .milliseconds(5))
            for _ in 0 ..< 3 { _ = try await pair.unary(TestService.empty) }
            #expect(pair.link.snapshot().breaker == "closed")
        }
    }
}
