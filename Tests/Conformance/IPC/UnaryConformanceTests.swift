import BulkheadCore
import BulkheadIPC
import NIOCore
import Testing

@Suite("Unary calls")
struct UnaryConformanceTests {
    @Test("An empty message is answered with an empty message", arguments: Transport.allCases)
    func empty(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let reply = try await pair.unary(TestService.empty).readableBytes
            #expect(reply == 0)
        }
    }

    @Test("Messages far longer than a frame arrive whole, both ways", arguments: Transport.allCases)
    func large(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            var request = ByteBuffer(integer: UInt32(314_159))
            request.writeRepeatingByte(1, count: 271_828 - 4)
            let reply = try await pair.unary(TestService.sized, request)
            #expect(reply == ByteBuffer(repeating: 5, count: 314_159))
        }
    }

    @Test("Sizes around the fragment border arrive unchanged", arguments: Transport.allCases)
    func borders(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            for size in [1, 8191, 8192, 8193, 16384, 16385, 65535, 65536, 65537, 131_072, 131_073] {
                let message = ByteBuffer(bytes: (0 ..< size).map { UInt8(truncatingIfNeeded: $0 &* 31) })
                let reply1 = try await pair.unary(TestService.echo, message)
                #expect(reply1 == message, "\(size) bytes")
            }
        }
    }

    @Test("A thousand long calls at once are all answered", arguments: Transport.allCases)
    func thousand(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let sizes = try await withThrowingTaskGroup(of: Int.self) { group in
                var request = ByteBuffer(integer: UInt32(314_159))
                request.writeRepeatingByte(1, count: 271_828 - 4)
                for _ in 0 ..< 1000 {
                    group.addTask { [request] in
                        try await pair.unary(TestService.sized, request, within: .seconds(60)).readableBytes
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(sizes == Array(repeating: 314_159, count: 1000))
        }
    }

    @Test("Metadata reaches the handler", arguments: Transport.allCases)
    func metadata(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let trace = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
            let user = String(repeating: "ü", count: 128)
            let options = CallOptions(
                deadline: .now() + .seconds(5), metadata: CallMetadata(requestID: "r-1", trace: trace, tenant: "acme", user: user)
            )
            let reply = try await pair.link.unary(pair.own(TestService.metadata), ByteBuffer(), options)
            #expect(String(buffer: reply) == "r-1|acme|\(user)|\(trace.traceparent)|suite")
        }
    }

    @Test("Metadata beyond its bound is refused before it is sent")
    func longMetadata() async throws {
        try await Pair.with(.memory) { pair in
            let options = CallOptions(
                deadline: .now() + .seconds(5), metadata: CallMetadata(requestID: String(repeating: "x", count: 129)))
            let error = await callError { try await pair.link.unary(pair.own(TestService.echo), ByteBuffer(), options) }
            #expect(error?.reason == "metadata_too_long")
        }
    }

    @Test("Code, reason, message and retry time of an error arrive", arguments: Transport.allCases)
    func status(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            for code in StatusCode.allCases where code != .ok {
                let error = await callError { try await pair.unary(TestService.fail, ByteBuffer(integer: code.rawValue)) }
                #expect(
                    error
                        == CallError(
                            code, reason: "asked_for", message: "Größe \(code.rawValue) 🙂", retryAfter: .milliseconds(1500),
                            origin: "test"))
                pair.link.forceBreaker(open: false)
            }
        }
    }

    @Test("An error that is no call error becomes UNKNOWN and does not carry its content", arguments: Transport.allCases)
    func foreignError(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let error = await callError { try await pair.unary(TestService.fail, ByteBuffer(integer: UInt32(0))) }
            #expect(error?.code == .unknown)
            #expect(error?.message == "the handler of Test.Fail failed with NotACallError")
        }
    }

    @Test("A method the peer does not have is UNIMPLEMENTED", arguments: Transport.allCases)
    func unimplemented(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let error = await callError { try await pair.unary(TestService.missing) }
            #expect(error?.code == .unimplemented)
            #expect(error?.reason == "unknown_method")
        }
    }

    @Test("A method of a service the peer does not have is UNIMPLEMENTED", arguments: Transport.allCases)
    func unimplementedService(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let other = MethodDescriptor(name: "Other.Echo", shape: .unary, requestHash: 1, responseHash: 2)
            let error = await callError { try await pair.unary(other) }
            #expect(error?.code == .unimplemented)
            #expect(error?.notProcessed == true)
        }
    }

    // Memory takes all that is written at once: nothing waits that could be overtaken.
    @Test("A short call overtakes long ones that were there first", arguments: Transport.allCases.filter { $0 != .memory })
    func headOfLine(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let order = try await withThrowingTaskGroup(of: Int.self) { group in
                let long = ByteBuffer(repeating: 1, count: 16 << 20)
                for _ in 0 ..< 8 { group.addTask { try await pair.unary(TestService.echo, long).readableBytes } }
                let limit = MonotonicTime.now() + .seconds(10)
                while pair.link.snapshot().inFlight < 8, MonotonicTime.now() < limit { await Task.yield() }
                group.addTask { try await pair.unary(TestService.echo, ByteBuffer(string: "short")).readableBytes }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            // Behind them it would be the last of nine.
            let place = order.firstIndex(of: 5) ?? order.count
            #expect(place <= 4, "\(order)")
        }
    }

    @Test("A method with other messages is UNIMPLEMENTED with schema_skew, the rest works", arguments: Transport.allCases)
    func skew(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let other = MethodDescriptor(name: "Test.Echo", shape: .unary, requestHash: 99, responseHash: 2)
            let error = await callError { try await pair.unary(other) }
            #expect(error?.code == .unimplemented)
            #expect(error?.reason == "schema_skew")
            let reply2 = try await pair.unary(TestService.echo, ByteBuffer(string: "x"))
            #expect(reply2 == ByteBuffer(string: "x"))
        }
    }

    @Test("A call to a sleeping handler ends at its deadline, and the handler is cancelled", arguments: Transport.allCases)
    func timeout(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let start = MonotonicTime.now()
            let error = await callError { try await pair.unary(TestService.hang, within: .milliseconds(300)) }
            #expect(error?.code == .deadlineExceeded)
            #expect(MonotonicTime.now() - start >= .milliseconds(300))
            #expect(await eventually { pair.service.cancelled.load(ordering: .relaxed) == 1 })
        }
    }

    @Test("A deadline that has passed is not even sent", arguments: Transport.allCases)
    func expired(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            let error = await callError { try await pair.unary(TestService.hang, within: .milliseconds(-1)) }
            #expect(error?.code == .deadlineExceeded)
            #expect(error?.notProcessed == true)
            #expect(pair.service.started.load(ordering: .relaxed) == 0)
        }
    }

    @Test("Cancelling the caller cancels the handler", arguments: Transport.allCases)
    func cancel(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            await withTaskGroup(of: CallError?.self) { group in
                group.addTask { await callError { try await pair.unary(TestService.hang) } }
                #expect(await eventually { pair.service.started.load(ordering: .relaxed) == 1 })
                group.cancelAll()
                #expect(await group.next()??.code == .cancelled)
            }
            #expect(await eventually { pair.service.cancelled.load(ordering: .relaxed) == 1 })
            #expect(await eventually { pair.link.snapshot().inFlight == 0 })
        }
    }

    @Test("A caller that is cancelled already gets CANCELLED", arguments: Transport.allCases)
    func cancelledBefore(_ transport: Transport) async throws {
        try await Pair.with(transport) { pair in
            await withTaskGroup(of: CallError?.self) { group in
                group.cancelAll()
                group.addTask { await callError { try await pair.unary(TestService.hang) } }
                #expect(await group.next()??.code == .cancelled)
            }
        }
    }
}
