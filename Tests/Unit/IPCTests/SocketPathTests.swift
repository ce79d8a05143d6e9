import BulkheadCore
import BulkheadIPC
import Glibc
import NIOCore
import Testing

@Suite("Rules of the socket path")
struct SocketPathTests {
    private func problem(_ path: String) async -> String? {
        do {
            let server = try await IPCServer.start(
                ServerConfiguration(service: "test", socketPath: path, allowedUIDs: [geteuid()], methods: [], schemas: []),
                eventLoop: RawEnd.loop)
            _ = await server.drain(grace: .zero)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("A stale socket is replaced, and the file has exactly the asked mode")
    func stale() async throws {
        try await withSocketDirectory { directory in
            let path = directory + "/s"
            let stale = try await RawEnd.serve(path, nil)
            let server = try await IPCServer.start(
                ServerConfiguration(
                    service: "test", socketPath: path, allowedUIDs: [geteuid()], methods: [], schemas: [], socketMode: 0o620),
                eventLoop: RawEnd.loop)
            var status = stat()
            #expect(lstat(path, &status) == 0)
            #expect(status.st_mode & 0o7777 == 0o620)
            _ = await server.drain(grace: .zero)
            #expect(lstat(path, &status) != 0)
            try await stale.close().get()
        }
    }

    @Test("Anything else at the path is kept and refused")
    func notASocket() async throws {
        try await withSocketDirectory { directory in
            let path = directory + "/s"
            close(open(path, O_CREAT | O_WRONLY, 0o600))
            #expect(await problem(path)?.contains("is not a socket") == true)
            var status = stat()
            #expect(lstat(path, &status) == 0)
        }
    }

    @Test("A socket file that is deleted or replaced is bound anew within 5 s; connections that were there go on")
    func rebound() async throws {
        try await withSocketDirectory { directory in
            let path = directory + "/s"
            let server = try await IPCServer.start(
                ServerConfiguration(
                    service: "test", socketPath: path, allowedUIDs: [geteuid()],
                    methods: [ServerMethod(HostileClientTests.echo, .unary { message, _ in message })], schemas: []),
                eventLoop: RawEnd.loop)
            let early = try await RawEnd.connect(path, first: RawFrame.hello().bytes)
            #expect(await early.frame(0x02) != nil)
            for replaced in [false, true] {
                let intruder = replaced ? try await RawEnd.serve(path, nil) : nil
                if !replaced { #expect(unlink(path) == 0) }
                let start = MonotonicTime.now()
                var answered = false
                while !answered, MonotonicTime.now() - start < .seconds(5) {
                    guard let end = try? await RawEnd.connect(path, first: RawFrame.hello().bytes) else { continue }
                    answered = await eventually(.milliseconds(200)) { end.frames.contains { $0.type == 2 } }
                    await end.close()
                }
                #expect(answered, "replaced: \(replaced)")
                try await intruder?.close().get()
            }
            try await early.send(RawFrame.request(stream: 1))
            #expect(await early.frame(0x06, stream: 1)?.aux == 0)
            await early.close()
            _ = await server.drain(grace: .zero)
            var status = stat()
            #expect(lstat(path, &status) != 0, "the file it bound last is removed")
        }
    }

    @Test("Too long a path, a missing directory, one open to all: each is named")
    func directories() async throws {
        try await withSocketDirectory { directory in
            #expect(await problem(directory + "/" + String(repeating: "x", count: 107))?.contains("at most 107") == true)
            #expect(await problem(directory + "/none/s")?.contains("cannot use the socket directory") == true)
            #expect(chmod(directory, 0o777) == 0)
            #expect(await problem(directory + "/s")?.contains("chmod o-w") == true)
        }
    }

    @Test("Two methods of one name, or a handler of another shape, are refused")
    func methods() async throws {
        let method = ServerMethod(HostileClientTests.echo, .unary { message, _ in message })
        let wrong = ServerMethod(HostileClientTests.chat, .unary { message, _ in message })
        for (methods, word) in [([method, method], "twice"), ([wrong], "shape")] {
            do {
                _ = try await IPCServer.start(
                    ServerConfiguration(
                        service: "test", socketPath: "/nowhere/s", allowedUIDs: [], methods: methods, schemas: []),
                    eventLoop: RawEnd.loop)
                Issue.record("accepted")
            } catch {
                #expect("\(error)".contains(word))
            }
        }
    }
}
