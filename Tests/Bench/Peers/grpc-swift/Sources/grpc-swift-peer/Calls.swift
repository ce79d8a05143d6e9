import GRPCCore
import GRPCNIOTransportHTTP2Posix

struct Calls {
    let client: GRPCClient<HTTP2ClientTransport.Posix>
    let options: Options

    func run() async throws {
        _ = try await measure(options.warmup)
        let usage = Usage()
        let took = try await measure(options.count)
        print(Report.calls(took, usage.spent()))
    }

    private func measure(_ count: Int) async throws -> [UInt64] {
        try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for _ in 0 ..< options.inFlight {
                group.addTask { try await loop(count / options.inFlight) }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func loop(_ count: Int) async throws -> [UInt64] {
        let message = [UInt8](repeating: 7, count: options.size)
        var took: [UInt64] = []
        took.reserveCapacity(count)
        for _ in 0 ..< count {
            let start = Usage.now()
            let length = try await client.unary(
                request: ClientRequest(message: message), descriptor: Echo.unary, serializer: Bytes(), deserializer: Bytes(),
                options: .defaults
            ) { try $0.message.count }
            precondition(length == options.size, "the reply has another length")
            took.append(Usage.now() - start)
        }
        return took
    }
}

struct Stream {
    let client: GRPCClient<HTTP2ClientTransport.Posix>
    let options: Options

    func run() async throws {
        try await measure(options.warmup)
        let usage = Usage()
        try await measure(options.count)
        print(Report.stream(options.count, usage.spent()))
    }

    private func measure(_ count: Int) async throws {
        let head = (0 ..< 8).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        let size = options.size
        let got = try await client.serverStreaming(
            request: ClientRequest(message: head + [UInt8](repeating: 7, count: size)), descriptor: Echo.stream,
            serializer: Bytes(), deserializer: Bytes(), options: .defaults
        ) { response in
            var got = 0
            for try await message in response.messages where message.count == size { got += 1 }
            return got
        }
        precondition(got == count, "\(got) of \(count) messages arrived")
    }
}
