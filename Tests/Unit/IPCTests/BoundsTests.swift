import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore
import Testing

/// What an end does when the other takes nothing, asks for too much or leaves in the middle.
@Suite("Bounds", .serialized)
struct BoundsTests {
    static let echo = HostileClientTests.echo
    static let large = MethodDescriptor(name: "Test.Large", shape: .unary, requestHash: 1, responseHash: 2)
    static let hang = MethodDescriptor(name: "Test.Hang", shape: .unary, requestHash: 1, responseHash: 2)
    static let largeBytes = 1 << 20

    private func server(_ path: String, _ counter: Counter = Counter()) async throws -> IPCServer {
        let methods = [
            ServerMethod(Self.echo, .unary { message, _ in message }),
            ServerMethod(
                Self.large,
                .unary { _, _ in
                    _ = counter.next()
                    return ByteBuffer(repeating: 1, count: Self.largeBytes)
                }),
            ServerMethod(
                Self.hang,
                .unary { message, call in
                    _ = counter.next()
                    try await call.eventLoop.sleep(.seconds(60))
                    return message
                }),
        ]
        return try await IPCServer.start(
            ServerConfiguration(service: "test", socketPath: path, allowedUIDs: [geteuid()], methods: methods, schemas: []),
            eventLoop: RawEnd.loop)
    }

    private func link(_ path: String) -> IPCLink {
        IPCLink(
            configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: path, schemas: []), eventLoop: RawEnd.loop)
    }

    /// The errors of `count` calls at once; a call that succeeds has none.
    private func errors(_ link: IPCLink, _ method: MethodDescriptor, _ message: ByteBuffer, count: Int) async -> [CallError] {
        await withTaskGroup(of: CallError?.self) { group in
            for _ in 0 ..< count {
                group.addTask {
                    do {
                        _ = try await link.unary(
                            method, message, CallOptions(deadline: .now() + .seconds(30), waitForReady: .seconds(2)))
                        return nil
                    } catch {
                        return error as? CallError ?? CallError(.unknown, message: "\(error)")
                    }
                }
            }
            return await group.reduce(into: []) { if let error = $1 { $0.append(error) } }
        }
    }

    @Test("A client that takes no answers stops the server's reading, not its service; every answer comes once it reads")
    func unreadAnswers() async throws {
        try await withSocketDirectory { directory in
            let counter = Counter()
            let server = try await server(directory + "/s", counter)
            let requests = (0 ..< 200).map { RawFrame.request(stream: UInt32(2 * $0 + 1), method: 1) }
            let end = try await RawEnd.connect(
                directory + "/s", reads: .counting, autoRead: false, first: RawFrame.hello().bytes)
            // Ten at a time: handlers that began together on several threads are not held up any more.
            var sent = 0
            repeat {
                try await end.send(requests[sent ..< sent + 10].flatMap(\.bytes))
                sent += 10
            } while await eventually(.seconds(1)) { [sent] in counter.count >= sent } && sent < 200
            // 64 MiB may wait, and what the socket holds.
            #expect((60 ... 80).contains(counter.count))
            let link = link(directory + "/s")
            for _ in 0 ..< 20 { #expect(await errors(link, Self.echo, ByteBuffer(), count: 1).isEmpty) }
            #expect((60 ... 80).contains(counter.count))
            try await end.send(requests[sent...].flatMap(\.bytes))
            try await end.setReading(true)
            #expect(await eventually(.seconds(20)) { counter.count == 200 && end.received >= 200 * Self.largeBytes })
            #expect(!end.isClosed)
            await end.close()
            await link.close()
            _ = await server.drain(grace: .milliseconds(100))
        }
    }

    @Test("A peer that takes no bytes is given up after 10 s, its socket being full; the unsent bytes are bounded")
    func fullSocket() async throws {
        try await withSocketDirectory { directory in
            let server = try await RawEnd.serve(directory + "/s", reads: .once) { $0.type == 1 ? [RawFrame.helloAck()] : [] }
            let link = link(directory + "/s")
            #expect(await eventually { link.snapshot().state == .ready })
            let start = MonotonicTime.now()
            let errors = await errors(link, Self.echo, ByteBuffer(repeating: 1, count: 16 << 20), count: 40)
            #expect(.milliseconds(9500) ... .seconds(12) ~= MonotonicTime.now() - start)
            #expect(errors.count == 40)
            // 512 MiB hold 32 of them, or 31 with their headers.
            #expect((8 ... 9).contains(errors.count { $0.reason == "link_full" }))
            #expect(errors.count { $0.reason == "link_lost" } >= 31)
            await link.close()
            try await server.close().get()
        }
    }

    @Test("An old connection that drains and falls silent does not make the new one suspect")
    func silentWhileDraining() async throws {
        try await withSocketDirectory { directory in
            let server = try await RawEnd.serve(directory + "/s") { number in
                RawEnd { frame in
                    switch frame.type {
                    case 1: [RawFrame.helloAck(instance: UInt8(number))]
                    case 3: number == 0 ? [RawFrame(type: 0x0b)] : []
                    case 9: number == 0 ? [] : [RawFrame(type: 0x0a, payload: frame.payload)]
                    default: []
                    }
                }
            }
            let link = link(directory + "/s")
            #expect(await eventually { link.snapshot().state == .ready })
            let errors = await errors(link, Self.echo, ByteBuffer(), count: 1)
            #expect(errors.first?.reason == "link_lost")
            #expect(link.snapshot().state == .ready)
            #expect(link.snapshot().peerInstance?.hasPrefix("0101") == true)
            await link.close()
            try await server.close().get()
        }
    }

    @Test("Requests in work are bounded in bytes; what is beyond is refused as not processed")
    func workingBytes() async throws {
        try await withSocketDirectory { directory in
            let counter = Counter()
            let server = try await server(directory + "/s", counter)
            let link = link(directory + "/s")
            let message = ByteBuffer(repeating: 1, count: 16 << 20)
            async let held = errors(link, Self.hang, message, count: 16)
            #expect(await eventually { counter.count == 16 })
            let refused = await errors(link, Self.echo, ByteBuffer(string: "x"), count: 1).first
            #expect(refused?.code == .resourceExhausted)
            #expect(refused?.notProcessed == true)
            await link.close()
            #expect(await held.count == 16)
            #expect(await eventually { server.snapshot().inFlight == 0 })
            _ = await server.drain(grace: .milliseconds(100))
        }
    }

    @Test("A server has 256 connections at most, and turns away what comes then")
    func connections() async throws {
        try await withSocketDirectory { directory in
            let server = try await server(directory + "/s")
            var ends: [RawEnd] = []
            for _ in 0 ..< 260 {
                ends.append(try await RawEnd.connect(directory + "/s", first: RawFrame.hello().bytes))
            }
            #expect(await eventually { server.snapshot().rejected == 4 })
            #expect(server.snapshot().connections == 256)
            for end in ends { await end.close() }
            #expect(await eventually { server.snapshot().connections == 0 })
            _ = await server.drain(grace: .zero)
        }
    }

    @Test("A call whose request is not whole when a drain ends is cut off and counted; a second drain ends, too")
    func drain() async throws {
        try await withSocketDirectory { directory in
            let server = try await server(directory + "/s")
            let partial = RawFrame.request(stream: 1, flags: 0, message: [])
            let end = try await RawEnd.connect(directory + "/s", first: RawFrame.hello().bytes + partial.bytes)
            #expect(await eventually { server.snapshot().inFlight == 1 })
            async let first = server.drain(grace: .milliseconds(50))
            async let second = server.drain(grace: .milliseconds(50))
            let cut = await [first, second]
            #expect(cut == [1, 1])
            #expect(await end.frame(0x06, stream: 1)?.aux == StatusCode.unavailable.rawValue)
            #expect(server.snapshot().inFlight == 0)
        }
    }

    @Test("A link closed while it dials leaves no connection behind, and says so to who calls")
    func closedWhileDialling() async throws {
        try await withSocketDirectory { directory in
            let ends = (0 ..< 20).map { _ in RawEnd() }
            let counter = Counter()
            let server = try await RawEnd.serve(directory + "/s") { number in
                _ = counter.next()
                return ends[min(number, 19)]
            }
            for _ in ends {
                let link = link(directory + "/s")
                await link.close()
                #expect(await errors(link, Self.echo, ByteBuffer(), count: 1).first?.reason == "link_closed")
            }
            #expect(await eventually { counter.count == 20 && ends.allSatisfy(\.isClosed) })
            try await server.close().get()
        }
    }
}
