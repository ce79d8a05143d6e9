import BulkheadCore
import BulkheadIPC
import Foundation
import NIOCore
import Testing

/// The inputs the fuzzer starts from, and those that once broke something, over real sockets. Time does not pass here: what
/// depends on it is played by the fuzzer, on a clock moved by hand.
@Suite("Inputs the fuzzer starts from or has found harm nobody else") struct FuzzReplayTests {
    private static let echo = HostileClientTests.echo
    private static let chat = HostileClientTests.chat

    /// All inputs of a fuzz target, with their names.
    private static func inputs(_ target: String) throws -> [(name: String, bytes: [UInt8])] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Fuzz").standardizedFileURL
        return try ["Corpus", "Regressions"].flatMap { folder in
            let place = root.appending(path: "\(folder)/\(target)")
            guard FileManager.default.fileExists(atPath: place.path) else { return [(name: String, bytes: [UInt8])]() }
            return try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil).map {
                ($0.lastPathComponent, try Array(Data(contentsOf: $0)))
            }
        }
    }

    @Test("a server goes on serving after every input", arguments: ["frames", "head", "server"])
    func server(_ target: String) async throws {
        let inputs = try Self.inputs(target)
        #expect(!inputs.isEmpty, "the corpus of \(target) is missing")
        try await withSocketDirectory { directory in
            let server = try await IPCServer.start(Self.configuration(directory), eventLoop: RawEnd.loop)
            let link = IPCLink(
                configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: directory + "/s", schemas: []),
                eventLoop: RawEnd.loop)
            for input in inputs {
                try await play(target, input.bytes, directory + "/s")
                #expect(await eventually { link.snapshot().state == .ready })
                let reply = try await link.unary(
                    Self.echo, ByteBuffer(string: "still"), CallOptions(deadline: .now() + .seconds(5)))
                #expect(String(buffer: reply) == "still", "after \(input.name)")
            }
            await link.close()
            _ = await server.drain(grace: .milliseconds(100))
            #expect(await eventually { server.snapshot().connections == 0 && server.snapshot().inFlight == 0 })
        }
    }

    private static func configuration(_ directory: String) -> ServerConfiguration {
        let methods = [
            ServerMethod(echo, .unary { message, _ in message }),
            ServerMethod(
                chat,
                .stream { reader, _, writer in while let message = try await reader.next() { try await writer.write(message) } }),
        ]
        return ServerConfiguration(
            service: "test", socketPath: directory + "/s", allowedUIDs: [geteuid()], methods: methods, schemas: [],
            maxMessageBytes: 1 << 20)
    }

    private func play(_ target: String, _ bytes: [UInt8], _ path: String) async throws {
        switch target {
        case "server": try await follow(HostileScript(bytes, .client), path)
        // The first byte is the fuzz target's own.
        case "head": try await follow(RawFrame(type: 3, flags: 5, stream: 1, payload: Array(bytes.dropFirst())).bytes, path)
        // A count of piece lengths and these come before the frames.
        default: try await follow(Array(bytes.dropFirst(1 + Int((bytes.first ?? 0) & 15))), path)
        }
    }

    private func follow(_ bytes: [UInt8], _ path: String) async throws {
        let end = try await RawEnd.connect(path, first: RawFrame.hello().bytes + bytes)
        _ = await eventually { end.received > 0 || end.isClosed }
        await end.close()
    }

    /// A peer that was turned away cannot send any more; that is as good an end as any.
    private func follow(_ script: HostileScript, _ path: String) async throws {
        let end = try await RawEnd.connect(path)
        for step in script.steps {
            switch step {
            case .send(let bytes): try? await end.send(bytes)
            case .stopTaking: try? await end.setReading(false)
            case .goOnTaking: try? await end.setReading(true)
            case .leave: await end.close()
            case .deliver, .pass, .act: break
            }
        }
        await end.close()
    }

    @Test("every call to a hostile server ends, and the link is not lost")
    func client() async throws {
        let inputs = try Self.inputs("client")
        #expect(!inputs.isEmpty, "the corpus is missing")
        for input in inputs {
            try await withSocketDirectory { directory in
                let bytes: [UInt8] = HostileScript(input.bytes, .server).steps.flatMap { step -> [UInt8] in
                    if case .send(let sent) = step { sent } else { [] }
                }
                let listener = try await RawEnd.serve(directory + "/s") { _ in RawEnd(first: bytes) }
                let link = IPCLink(
                    configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: directory + "/s", schemas: []),
                    eventLoop: RawEnd.loop)
                // What the call comes to is the hostile server's choice; that it comes to an end is not.
                _ = try? await link.unary(Self.echo, ByteBuffer(), CallOptions(deadline: .now() + .milliseconds(200)))
                _ = try? await link.stream(Self.chat, CallOptions(deadline: .now() + .milliseconds(200))) { reader, writer in
                    try await writer.write(ByteBuffer(string: "hello"))
                    return try await reader.next()
                }
                await link.close()
                #expect(link.snapshot().inFlight == 0, "after \(input.name)")
                try await listener.close().get()
            }
        }
    }
}
