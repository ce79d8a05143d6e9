import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import Glibc
import NIOCore
import Testing

/// What the end of a call does and does not mean.
@Suite("How calls end")
struct CallEndTests {
    static let work = MethodDescriptor(name: "Test.Work", shape: .unary, requestHash: 1, responseHash: 2)
    static let few = MethodDescriptor(name: "Test.Few", shape: .serverStream, requestHash: 1, responseHash: 2)

    private func serve(
        _ method: MethodDescriptor, _ handler: ServerHandler, on loop: any EventLoop = RawEnd.loop,
        _ body: (IPCLink) async throws -> Void
    ) async throws {
        try await withSocketDirectory { directory in
            let server = try await IPCServer.start(
                ServerConfiguration(
                    service: "test", socketPath: directory + "/s", allowedUIDs: [geteuid()],
                    methods: [ServerMethod(method, handler)], schemas: []),
                eventLoop: RawEnd.loop)
            let link = IPCLink(
                configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: directory + "/s", schemas: []),
                eventLoop: loop)
            #expect(await eventually { link.snapshot().state == .ready })
            try await body(link)
            await link.close()
            _ = await server.drain(grace: .milliseconds(100))
        }
    }

    @Test("A handler that has begun runs once, though what it called in turn was not processed")
    func relayed() async throws {
        let ran = Counter()
        let nobody = IPCLink(
            configuration: LinkConfiguration(peer: "none", caller: "test", socketPath: "/tmp/nobody-\(getpid())", schemas: []),
            eventLoop: RawEnd.loop)
        let handler = ServerHandler.unary { message, call in
            _ = ran.next()
            return try await nobody.unary(Self.work, message, CallOptions(deadline: call.deadline, waitForReady: .zero))
        }
        try await serve(Self.work, handler) { link in
            do {
                _ = try await link.unary(Self.work, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5)))
                Issue.record("answered")
            } catch {
                #expect((error as? CallError)?.code == .unavailable)
                #expect((error as? CallError)?.notProcessed == false)
            }
            #expect(ran.count == 1)
        }
        await nobody.close()
    }

    @Test("An eager handler answers without a task, and is asked in one where it gives nothing")
    func eager() async throws {
        let later = Counter()
        let handler = ServerHandler.eager(
            now: { message, _ in
                switch String(buffer: message) {
                case "now": .success(ByteBuffer(string: "at once"))
                case "no": .failure(CallError(.invalidArgument, reason: "no", message: "no"))
                default: nil
                }
            },
            later: { message, _ in
                _ = later.next()
                return message
            })
        try await serve(Self.work, handler) { link in
            let ask = { (text: String) async throws -> String in
                String(
                    buffer: try await link.unary(
                        Self.work, ByteBuffer(string: text), CallOptions(deadline: .now() + .seconds(5))))
            }
            let prompt = try await ask("now")
            #expect(prompt == "at once" && later.count == 0)
            let asked = try await ask("later")
            #expect(asked == "later" && later.count == 1)
            // In fragments.
            let long = String(repeating: "x", count: 200_000)
            let whole = try await ask(long)
            #expect(whole == long && later.count == 2)
            do {
                _ = try await ask("no")
                Issue.record("answered")
            } catch {
                #expect((error as? CallError)?.reason == "no" && (error as? CallError)?.origin == "test")
            }
        }
    }

    @Test(
        "What a server sent before it gave up is delivered, whatever it called its end",
        arguments: [StatusCode.cancelled, .deadlineExceeded, .aborted])
    func queued(_ code: StatusCode) async throws {
        let handler = ServerHandler.stream { _, _, writer in
            for _ in 0 ..< 3 { try await writer.write(ByteBuffer(string: "x")) }
            throw CallError(code, reason: "upstream", message: "the provider gave up")
        }
        try await serve(Self.few, handler) { link in
            let got = Counter()
            await #expect(throws: CallError.self) {
                try await link.serverStream(Self.few, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5))) { reader in
                    // All of it, and the status, are here before the first is taken.
                    #expect(await eventually { link.snapshot().inFlight == 0 })
                    while try await reader.next() != nil { _ = got.next() }
                }
            }
            #expect(got.count == 3)
        }
    }

    @Test("What has come can be taken without waiting, in order, and neither the end nor an error with it")
    func ready() async throws {
        let handler = ServerHandler.stream { _, _, writer in
            for word in ["1", "2", "3"] { try await writer.write(ByteBuffer(string: word)) }
            throw CallError(.aborted, reason: "upstream", message: "the provider gave up")
        }
        let loop = RawEnd.loop
        try await serve(Self.few, handler, on: loop) { link in
            await #expect(throws: CallError.self) {
                try await link.serverStream(Self.few, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5))) { reader in
                    #expect(await eventually { link.snapshot().inFlight == 0 })
                    let first = try await reader.next().map { String(buffer: $0) }
                    #expect(first == "1")
                    let ready = loop.submit { (0 ..< 3).map { _ in reader.nextIfReady().map { String(buffer: $0) } } }
                    let words = try await ready.get()
                    #expect(words == ["2", "3", nil])
                    _ = try await reader.next()
                    Issue.record("the error was lost")
                }
            }
        }
    }

    @Test("Streams that deliver until their deadline do not open the breaker")
    func lively() async throws {
        let handler = ServerHandler.stream { _, call, writer in
            while true {
                try await writer.write(ByteBuffer(string: "x"))
                try await call.eventLoop.sleep(.milliseconds(5))
            }
        }
        try await serve(Self.few, handler) { link in
            for _ in 0 ..< 6 {
                let error = await failure {
                    try await link.serverStream(Self.few, ByteBuffer(), CallOptions(deadline: .now() + .milliseconds(100))) {
                        while try await $0.next() != nil {}
                    }
                }
                #expect(error?.code == .deadlineExceeded)
            }
            #expect(link.snapshot().breaker == "closed")
        }
    }

    @Test("A server that sends the answer of a unary call twice loses its connection; one it withholds the status of is bounded")
    func withheldStatus() async throws {
        try await withSocketDirectory { directory in
            let server = try await RawEnd.serve(directory + "/s") { frame in
                guard frame.type != 1 else { return [RawFrame.helloAck()] }
                guard frame.type == 3 else { return [] }
                let message = RawFrame(type: 4, flags: RawFrame.hasMessage, stream: frame.stream, payload: [1])
                return [message, message]
            }
            let link = IPCLink(
                configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: directory + "/s", schemas: []),
                eventLoop: RawEnd.loop)
            #expect(await eventually { link.snapshot().state == .ready })
            let error = await failure {
                try await link.unary(HostileClientTests.echo, ByteBuffer(), CallOptions(deadline: .now() + .seconds(5)))
            }
            #expect(error?.reason == "link_lost")
            await link.close()
            try await server.close().get()
        }
    }

    private func failure(_ body: () async throws -> some Any) async -> CallError? {
        do {
            _ = try await body()
            return nil
        } catch {
            return error as? CallError
        }
    }
}
