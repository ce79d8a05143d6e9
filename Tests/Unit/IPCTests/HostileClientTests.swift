import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import Glibc
import NIOCore
import Testing

/// What a server does with bytes that no link of ours would send.
@Suite("A server against hostile bytes")
struct HostileClientTests {
    static let echo = MethodDescriptor(name: "Test.Echo", shape: .unary, requestHash: 1, responseHash: 2)
    static let chat = MethodDescriptor(name: "Test.Chat", shape: .bidirectional, requestHash: 1, responseHash: 2)

    /// Runs `body` against a server, and then checks that the server still serves a well-behaved link.
    private func withServer(_ body: (String, Counter, IPCServer) async throws -> Void) async throws {
        try await withSocketDirectory { directory in
            let counter = Counter()
            let methods = [
                ServerMethod(
                    Self.echo,
                    .unary { message, _ in
                        _ = counter.next()
                        return message
                    }),
                ServerMethod(Self.chat, .stream { _, call, _ in try await call.eventLoop.sleep(.seconds(60)) }),
            ]
            let server = try await IPCServer.start(
                ServerConfiguration(
                    service: "test", socketPath: directory + "/s", allowedUIDs: [geteuid()], methods: methods, schemas: [],
                    maxMessageBytes: 1 << 20),
                eventLoop: RawEnd.loop)
            try await body(directory + "/s", counter, server)
            let link = IPCLink(
                configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: directory + "/s", schemas: []),
                eventLoop: RawEnd.loop)
            // The loop is shared with other tests; a call alone would wait for a quarter of a second.
            #expect(await eventually { link.snapshot().state == .ready })
            let reply = try await link.unary(Self.echo, ByteBuffer(string: "still"), CallOptions(deadline: .now() + .seconds(5)))
            #expect(String(buffer: reply) == "still")
            await link.close()
            _ = await server.drain(grace: .milliseconds(100))
        }
    }

    /// Sends frames after a good handshake and expects an ERROR frame and the end of the connection.
    private func expectViolation(_ name: String, _ frames: RawFrame...) async throws {
        try await withServer { path, _, server in
            let end = try await RawEnd.connect(path, first: ([RawFrame.hello()] + frames).flatMap(\.bytes))
            #expect(await end.frame(0x0e)?.aux == 1, "\(name): no ERROR frame")
            #expect(await eventually { end.isClosed }, "\(name): not closed")
            #expect(server.snapshot().rejected >= 1)
        }
    }

    @Test("A request is understood however its bytes are split")
    func splits() async throws {
        try await withServer { path, counter, _ in
            let bytes = (RawFrame.hello().bytes + RawFrame.request(stream: 1).bytes)
            for split in 1 ..< bytes.count {
                let end = try await RawEnd.connect(path, first: Array(bytes[..<split]))
                try await end.send(Array(bytes[split...]))
                let status = await end.frame(0x06, stream: 1)
                #expect(status?.payload == Array("hello".utf8), "split at \(split)")
                await end.close()
            }
            #expect(counter.count == bytes.count - 1)
        }
    }

    @Test("A request byte by byte is as good as at once")
    func byteByByte() async throws {
        try await withServer { path, _, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            for byte in RawFrame.request(stream: 1).bytes { try await end.send([byte]) }
            #expect(await end.frame(0x06, stream: 1)?.aux == 0)
            await end.close()
        }
    }

    @Test("Flipped bits and garbage harm nobody else")
    func bitFlips() async throws {
        try await withServer { path, _, _ in
            var random = SplitMix64(seed: 42)
            let good = RawFrame.hello().bytes + RawFrame.request(stream: 1).bytes + RawFrame.request(stream: 3).bytes
            for round in 0 ..< 300 {
                var bytes = round % 3 == 0 ? (0 ..< 200).map { _ in UInt8.random(in: 0 ... 255, using: &random) } : good
                for _ in 0 ..< Int.random(in: 1 ... 4, using: &random) {
                    bytes[Int.random(in: 0 ..< bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0 ..< 8, using: &random)
                }
                let end = try await RawEnd.connect(path)
                try? await end.send(bytes)
                await end.close()
            }
        }
    }

    @Test("A length beyond the limit is refused from its header alone")
    func oversized() async throws {
        try await withServer { path, _, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send([0xff, 0xff, 0xff, 0xff, 4, 0, 0, 0] + Array(repeating: 0, count: 8))
            #expect(await end.frame(0x0e) != nil)
            #expect(await eventually { end.isClosed })
        }
    }

    @Test("Unknown types, reserved flags and frames of the other side end the connection")
    func violations() async throws {
        try await expectViolation("unknown type", RawFrame(type: 0x55))
        try await expectViolation("reserved flag", RawFrame(type: 0x09, flags: 0x40))
        try await expectViolation("status from a client", RawFrame(type: 0x06, stream: 1))
        try await expectViolation("second hello", RawFrame.hello())
        try await expectViolation("even stream", RawFrame.request(stream: 2))
        try await expectViolation("message on no stream", RawFrame(type: 0x04, flags: 4, stream: 7))
        try await expectViolation("cut call head", RawFrame(type: 0x03, flags: 4, stream: 1, payload: [1, 2, 3]))
        try await expectViolation("drain confirmed unasked", RawFrame(type: 0x0c))
        try await expectViolation(
            "credit never spent", RawFrame.request(stream: 1, method: 1), RawFrame(type: 0x08, stream: 1, aux: 1 << 30))
    }

    @Test("A repeated request is a violation and does not run twice")
    func duplicate() async throws {
        try await withServer { path, counter, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send(RawFrame.request(stream: 1), RawFrame.request(stream: 1))
            #expect(await end.frame(0x0e) != nil)
            #expect(await eventually { end.isClosed })
            #expect(counter.count <= 1)
        }
    }

    @Test("More than the credit is a violation")
    func overCredit() async throws {
        try await withServer { path, _, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send(RawFrame.request(stream: 1, method: 1, flags: 0, message: []))
            for _ in 0 ..< 6 {
                try? await end.send(RawFrame(type: 4, flags: 4, stream: 1, payload: Array(repeating: 0, count: 60_000)))
            }
            #expect(await end.frame(0x0e) != nil)
        }
    }

    @Test("An ignorable frame of a later version is skipped")
    func ignorable() async throws {
        try await withServer { path, _, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send(
                RawFrame(type: 0x91, flags: 0xff, payload: [1, 2, 3]), RawFrame.request(stream: 1))
            #expect(await end.frame(0x06, stream: 1)?.aux == 0)
        }
    }

    @Test("A message over the limit is RESOURCE_EXHAUSTED on its stream, from its announced length on")
    func tooLarge() async throws {
        try await withServer { path, counter, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send(
                RawFrame.request(stream: 1, flags: 0, message: []),
                RawFrame(type: 4, flags: RawFrame.more, stream: 1, aux: 2 << 20, payload: Array(repeating: 0, count: 1000)),
                RawFrame(type: 4, flags: RawFrame.more, stream: 1, aux: 1 << 20, payload: [1]), RawFrame.request(stream: 3))
            #expect(await end.frame(0x06, stream: 1)?.aux == StatusCode.resourceExhausted.rawValue)
            #expect(await end.frame(0x06, stream: 3)?.aux == 0)
            #expect(counter.count == 1)
        }
    }

    @Test("A request that arrives after its deadline is not run")
    func expired() async throws {
        try await withServer { path, counter, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send(RawFrame.request(stream: 1, deadline: .now() + .milliseconds(-1)))
            let status = await end.frame(0x06, stream: 1)
            #expect(status?.aux == StatusCode.deadlineExceeded.rawValue)
            #expect((status?.flags ?? 0) & 8 == 8)
            #expect(counter.count == 0)
        }
    }

    @Test("An unknown method is UNIMPLEMENTED, late frames of ended streams are ignored")
    func unknownMethod() async throws {
        try await withServer { path, _, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            try await end.send(RawFrame.request(stream: 1, method: 77), RawFrame(type: 7, stream: 1))
            #expect(await end.frame(0x06, stream: 1)?.aux == StatusCode.unimplemented.rawValue)
            try await end.send(RawFrame(type: 4, flags: 4, stream: 1, payload: [1]), RawFrame.request(stream: 3))
            #expect(await end.frame(0x06, stream: 3)?.aux == 0)
        }
    }

    @Test("Another protocol version is refused as incompatible")
    func otherMajor() async throws {
        try await withServer { path, _, _ in
            let end = try await RawEnd.connect(path, first: RawFrame.hello(major: 2).bytes)
            #expect(await end.frame(0x0e)?.aux == 2)
        }
    }

    @Test("A handshake that is no message, has another magic number or no instance is refused")
    func malformedHello() async throws {
        try await withServer { path, _, server in
            var noInstance = RawFrame.hello()
            noInstance.payload.removeLast(18)
            let deep = RawFrame(type: 1, payload: Array(repeating: 11 << 3 | 3, count: 1000))
            let bad = [RawFrame.hello(magic: "BLKX"), RawFrame(type: 1), RawFrame(type: 1, payload: [0xff]), noInstance, deep]
            for frame in bad {
                let end = try await RawEnd.connect(path, first: frame.bytes)
                #expect(await end.frame(0x0e)?.aux == 1)
                #expect(await eventually { end.isClosed })
            }
            #expect(server.snapshot().rejected == UInt64(bad.count))
        }
    }

    @Test("Who says nothing within a second is closed")
    func silentClient() async throws {
        try await withServer { path, _, _ in
            let start = MonotonicTime.now()
            let end = try await RawEnd.connect(path)
            #expect(await eventually { end.isClosed })
            #expect(MonotonicTime.now() - start >= .milliseconds(900))
        }
    }

    @Test("A frame that stays incomplete ends the connection")
    func slowFrame() async throws {
        try await withServer { path, _, _ in
            let half = RawFrame.request(stream: 1).bytes.prefix(40)
            let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes + half)
            #expect(await eventually(.seconds(9)) { end.isClosed })
        }
    }
}
