import BulkheadCore
import BulkheadIPC
import NIOCore
import Synchronization
import Testing

/// What a link does with a server that is frozen, broken or lies.
@Suite("A link against a bad server")
struct HostileServerTests {
    static let echo = HostileClientTests.echo

    private func link(_ path: String) -> IPCLink {
        IPCLink(
            configuration: LinkConfiguration(peer: "test", caller: "good", socketPath: path, schemas: []), eventLoop: RawEnd.loop)
    }

    private func call(_ link: IPCLink, idempotent: Bool = false, within limit: Duration = .seconds(5)) async -> Result<
        ByteBuffer, CallError
    > {
        do {
            return .success(
                try await link.unary(
                    Self.echo, ByteBuffer(string: "x"),
                    CallOptions(deadline: .now() + limit, isIdempotent: idempotent, waitForReady: .seconds(1))))
        } catch {
            return .failure(error as? CallError ?? CallError(.unknown, message: "\(error)"))
        }
    }

    private func error(_ result: Result<ByteBuffer, CallError>) -> CallError? {
        if case .failure(let error) = result { error } else { nil }
    }

    /// A server that greets, then answers by `script`.
    private static func greeting(_ script: @escaping @Sendable (RawFrame) -> [RawFrame]) -> @Sendable (RawFrame) -> [RawFrame] {
        { frame in frame.type == 1 ? [RawFrame.helloAck()] : script(frame) }
    }

    /// A server that stops answering, pings included, while its flag says so.
    private static func freezing(_ path: String, _ flag: FrozenFlag) async throws -> any Channel {
        try await RawEnd.serve(path) { frame in
            if flag.isFrozen.load(ordering: .relaxed) { return [] }
            switch frame.type {
            case 1: return [RawFrame.helloAck()]
            case 9: return [RawFrame(type: 0x0a, payload: frame.payload)]
            default: return []
            }
        }
    }

    @Test("A peer that falls silent is suspected within 3 s: new calls fail at once, those in flight stay; a byte makes it ready")
    func frozen() async throws {
        try await withSocketDirectory { directory in
            let (path, flag) = (directory + "/s", FrozenFlag())
            let server = try await Self.freezing(path, flag)
            let link = link(path)
            #expect(await eventually { link.snapshot().state == .ready })
            flag.isFrozen.store(true, ordering: .relaxed)
            let start = MonotonicTime.now()
            async let inFlight = call(link, within: .seconds(4))
            #expect(await eventually { link.snapshot().state == .suspect })
            #expect(MonotonicTime.now() - start <= .seconds(3))
            let again = MonotonicTime.now()
            #expect(error(await call(link))?.reason == "link_suspect")
            #expect(MonotonicTime.now() - again <= .milliseconds(50))
            flag.isFrozen.store(false, ordering: .relaxed)
            #expect(await eventually { link.snapshot().state == .ready })
            #expect(link.snapshot().breaker == "closed")
            #expect(error(await inFlight)?.code == .deadlineExceeded, "it stayed in flight all the time")
            await link.close()
            try await server.close().get()
        }
    }

    @Test("A peer that stays silent loses its connection after 10 s; three unanswered handshakes open the breaker")
    func frozenForLong() async throws {
        try await withSocketDirectory { directory in
            let (path, flag) = (directory + "/s", FrozenFlag())
            let server = try await Self.freezing(path, flag)
            let link = link(path)
            #expect(await eventually { link.snapshot().state == .ready })
            flag.isFrozen.store(true, ordering: .relaxed)
            let start = MonotonicTime.now()
            let lost = error(await call(link, within: .seconds(30)))
            #expect(lost?.reason == "link_lost")
            #expect(.milliseconds(9900) ... .seconds(12) ~= MonotonicTime.now() - start)
            // The socket still accepts, so that the handshake is tried, and times out.
            #expect(await eventually(.seconds(9)) { link.snapshot().breaker == "open" || link.snapshot().breaker == "half-open" })
            #expect(link.snapshot().state == .suspect)
            flag.isFrozen.store(false, ordering: .relaxed)
            #expect(await eventually { link.snapshot().state == .ready })
            await link.close()
            try await server.close().get()
        }
    }

    @Test("A connection that breaks fails its calls at once; an idempotent one is tried once more")
    func broken() async throws {
        try await withSocketDirectory { directory in
            let path = directory + "/s"
            let requests = FrozenFlag()
            let server = try await RawEnd.serve(
                path,
                Self.greeting { frame in
                    guard frame.type == 3 else { return [] }
                    requests.count.add(1, ordering: .relaxed)
                    return [RawFrame(type: 0x55)]
                })
            let link = link(path)
            #expect(await eventually { link.snapshot().state == .ready })
            #expect(error(await call(link))?.code == .unavailable)
            #expect(requests.count.load(ordering: .relaxed) == 1)
            #expect(await eventually { link.snapshot().state == .ready })
            #expect(error(await call(link, idempotent: true))?.code == .unavailable)
            #expect(requests.count.load(ordering: .relaxed) == 3)
            await link.close()
            try await server.close().get()
        }
    }

    @Test("Answers on streams that were never opened end the connection, late ones do not")
    func strayAnswers() async throws {
        try await withSocketDirectory { directory in
            let path = directory + "/s"
            let server = try await RawEnd.serve(
                path,
                Self.greeting { frame in
                    guard frame.type == 3 else { return [] }
                    let ok = RawFrame(type: 6, flags: 5, stream: frame.stream, payload: [1])
                    return [ok, ok, RawFrame(type: 4, flags: 4, stream: frame.stream, payload: [2])]
                })
            let link = link(path)
            for _ in 0 ..< 3 { #expect(try await call(link).get() == ByteBuffer(bytes: [1])) }
            #expect(link.snapshot().state == .ready)
            await link.close()
            try await server.close().get()
        }
    }

    @Test("Every status but a whole one, and every unknown code, is a violation that fails the call")
    func malformedStatus() async throws {
        let cut: [UInt8] = [1 << 3 | 2, 5, 1]
        let notUTF8 = RawFrame.field(1, [0xff])
        // -2: -1 says not to retry.
        let negativeRetry: [UInt8] = [3 << 3, 0xfe] + Array(repeating: 0xff, count: 8) + [1]
        let longReason: [UInt8] = [1 << 3 | 2, 0x81, 0x01] + Array(repeating: 0x61, count: 129)
        let cases: [(UInt32, [UInt8])] = [
            (13, [1]), (13, cut), (13, notUTF8), (13, Array(repeating: 255, count: 40)), (13, negativeRetry),
            (13, longReason), (99, []),
        ]
        for (code, payload) in cases {
            try await withSocketDirectory { directory in
                let path = directory + "/s"
                let server = try await RawEnd.serve(
                    path,
                    Self.greeting {
                        $0.type == 3 ? [RawFrame(type: 6, flags: 1, stream: $0.stream, aux: code, payload: payload)] : []
                    })
                let link = link(path)
                #expect(error(await call(link))?.reason == "link_lost")
                await link.close()
                try await server.close().get()
            }
        }
    }

    @Test("A server that drains gets the calls in flight answered and no new ones")
    func drains() async throws {
        try await withSocketDirectory { directory in
            let path = directory + "/s"
            let flag = FrozenFlag()
            let server = try await RawEnd.serve(
                path,
                Self.greeting { frame in
                    switch frame.type {
                    case 3: return [RawFrame(type: 0x0b)]
                    case 0x0c:
                        flag.count.add(1, ordering: .relaxed)
                        return [RawFrame(type: 6, flags: 5, stream: 1, payload: [7])]
                    default: return []
                    }
                })
            let link = link(path)
            #expect(try await call(link).get() == ByteBuffer(bytes: [7]))
            #expect(flag.count.load(ordering: .relaxed) == 1)
            await link.close()
            try await server.close().get()
        }
    }
}

/// What a scripted server and its test share.
final class FrozenFlag: Sendable {
    let isFrozen = Atomic<Bool>(false)
    let count = Atomic<Int>(0)
}
