import GRPCCore

/// Messages are plain bytes: no protobuf on either side, as with every other contestant.
struct Bytes: MessageSerializer, MessageDeserializer {
    func serialize<Out: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Out { Out(message) }

    func deserialize<In: GRPCContiguousBytes>(_ bytes: In) throws -> [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}

struct Echo: RegistrableRPCService {
    static let unary = MethodDescriptor(fullyQualifiedService: "bench.Echo", method: "Unary", type: .unary)
    static let stream = MethodDescriptor(fullyQualifiedService: "bench.Echo", method: "Stream", type: .serverStreaming)

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerHandler(forMethod: Self.unary, deserializer: Bytes(), serializer: Bytes()) { request, _ in
            let request = try await ServerRequest(stream: request)
            return StreamingServerResponse(single: ServerResponse(message: request.message))
        }
        // The request is the number of messages, eight bytes little-endian, and one message to repeat.
        router.registerHandler(forMethod: Self.stream, deserializer: Bytes(), serializer: Bytes()) { request, _ in
            let request = try await ServerRequest(stream: request)
            let count = request.message.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            let message = Array(request.message.dropFirst(8))
            return StreamingServerResponse { writer in
                for _ in 0 ..< count { try await writer.write(message) }
                return [:]
            }
        }
    }
}
