import BulkheadCore
import BulkheadIPC
import NIOCore
import Testing

@Suite("Streams")
struct StreamConformanceTests {
    static let sizes = [31_415, 9, 2_653, 58_979]

    @Test("A client stream is summed up", arguments: Transport.allCases)
    func client(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let total = try await pair.link.stream(pair.own(TestService.sum), pair.options) { reader, writer in
                for size in [27_182, 8, 1_828, 45_904] { try await writer.write(ByteBuffer(repeating: 1, count: size)) }
                writer.finish()
                let reply = try await reader.next()
                let last = try await reader.next()
                #expect(last == nil)
                return reply?.getInteger(at: 0, as: Int.self)
            }
            #expect(total == 74_922)
        }
    }

    @Test("A server stream arrives in order and ends", arguments: Transport.allCases)
    func server(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            var request = ByteBuffer()
            for size in Self.sizes { request.writeInteger(UInt32(size)) }
            let got = try await pair.link.serverStream(pair.own(TestService.count), request, pair.options) { reader in
                var got: [Int] = []
                while let message = try await reader.next() { got.append(message.readableBytes) }
                return got
            }
            #expect(got == Self.sizes)
        }
    }

    @Test("Ping-pong: every message is answered before the next is sent", arguments: Transport.allCases)
    func pingPong(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await pair.link.stream(pair.own(TestService.chat), pair.options) { reader, writer in
                for size in Self.sizes {
                    try await writer.write(ByteBuffer(repeating: 1, count: size))
                    let reply1 = try await reader.next()?.readableBytes
                    #expect(reply1 == size)
                }
                writer.finish()
                let reply2 = try await reader.next()
                #expect(reply2 == nil)
            }
        }
    }

    @Test("A stream without messages ends well", arguments: Transport.allCases)
    func emptyStream(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await pair.link.stream(pair.own(TestService.chat), pair.options) { reader, writer in
                writer.finish()
                let reply3 = try await reader.next()
                #expect(reply3 == nil)
            }
        }
    }

    @Test("A message longer than the whole window passes, and so do many of them", arguments: Transport.allCases)
    func beyondWindow(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await pair.link.stream(pair.own(TestService.chat), pair.options) { reader, writer in
                for _ in 0 ..< 8 {
                    try await writer.write(ByteBuffer(repeating: 1, count: 700_000))
                    let reply4 = try await reader.next()?.readableBytes
                    #expect(reply4 == 700_000)
                }
            }
        }
    }

    @Test("Leaving a stream before its first answer cancels the handler", arguments: Transport.allCases)
    func cancelAfterBegin(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await pair.link.stream(pair.own(TestService.idle), pair.options) { _, _ in
                #expect(await eventually { pair.service.started.load(ordering: .relaxed) == 1 })
            }
            #expect(await eventually { pair.service.cancelled.load(ordering: .relaxed) == 1 })
        }
    }

    @Test("Leaving a stream after its first answer stops the sender", arguments: Transport.allCases)
    func cancelAfterFirst(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await pair.link.serverStream(pair.own(TestService.flood), ByteBuffer(), pair.options) { reader in
                let reply5 = try await reader.next()?.readableBytes
                #expect(reply5 == 32 << 10)
            }
            let reply6 = try await pair.unary(TestService.echo, ByteBuffer(string: "on"))
            #expect(reply6 == ByteBuffer(string: "on"))
            #expect(await eventually { pair.link.snapshot().inFlight == 0 && (pair.server?.snapshot().inFlight ?? 0) == 0 })
        }
    }

    @Test("A consumer that takes nothing stops the sender at its credit, and nobody else", arguments: Transport.allCases)
    func backpressure(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await pair.link.serverStream(pair.own(TestService.flood), ByteBuffer(), pair.options) { reader in
                let reply7 = try await reader.next()
                #expect(reply7 != nil)
                for _ in 0 ..< 200 { _ = try await pair.unary(TestService.echo, ByteBuffer(string: "x")) }
                // 256 KiB of credit, one message beyond it, and the one that was taken.
                #expect(pair.service.flooded.load(ordering: .relaxed) <= 11)
                for _ in 0 ..< 100 { _ = try await reader.next() }
            }
        }
    }

    @Test("A stream ends at its deadline for both sides", arguments: Transport.allCases)
    func deadline(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let options = CallOptions(deadline: .now() + .milliseconds(300))
            let error = await callError {
                try await pair.link.stream(pair.own(TestService.idle), options) { reader, _ in _ = try await reader.next() }
            }
            #expect(error?.code == .deadlineExceeded)
            #expect(await eventually { pair.service.cancelled.load(ordering: .relaxed) == 1 })
        }
    }

    @Test("Cancelling the task of a stream wakes its reader and cancels the handler", arguments: Transport.allCases)
    func cancelTask(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            await withTaskGroup(of: CallError?.self) { group in
                group.addTask {
                    await callError {
                        try await pair.link.stream(pair.own(TestService.idle), pair.options) { reader, _ in
                            _ = try await reader.next()
                        }
                    }
                }
                #expect(await eventually { pair.service.started.load(ordering: .relaxed) == 1 })
                group.cancelAll()
                #expect(await group.next()??.code == .cancelled)
            }
            #expect(await eventually { pair.service.cancelled.load(ordering: .relaxed) == 1 })
        }
    }

    @Test("Five hundred streams at once do not mix", arguments: Transport.allCases)
    func many(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0 ..< 500 {
                    group.addTask {
                        try await pair.link.stream(pair.own(TestService.chat), pair.options) { reader, writer in
                            for step in 0 ..< 10 {
                                try await writer.write(ByteBuffer(integer: number &* 1000 + step))
                                let reply8 = try await reader.next()
                                #expect(reply8 == ByteBuffer(integer: number &* 1000 + step))
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
