import BulkheadCore
import BulkheadWire
import NIOCore

/// What a process serves, as it tells whoever may call it: for tools and for people who look at a running suite.
package struct PeerDescription: Sendable, Equatable {
    /// The service, as in the handshake.
    package let service: String
    /// Its instance id, 32 hexadecimal digits.
    package let instance: String
    package let schemas: [ServiceSchema]
}

/// Every server serves this method besides its own.
enum Reflection {
    static let describe = MethodDescriptor(
        name: "Reflect.Describe", shape: .unary, methodClass: .control, requestHash: 1, responseHash: 1)

    /// - Parameter reply: encoded once; a server's schemas do not change.
    static func method(_ reply: ByteBuffer) -> ServerMethod {
        ServerMethod(describe, .immediate { _, _ in .success(reply) })
    }
}

extension IPCLink {
    /// Asks the peer what it serves (reflection).
    /// - Throws: as `unary`; INTERNAL when the answer cannot be read.
    package func describe(_ options: CallOptions) async throws -> PeerDescription {
        let bytes = try await unary(Reflection.describe, ByteBuffer(), options)
        do {
            let reply = try IPCMessages.DescribeReply.decoded(bytes)
            return PeerDescription(
                service: reply.service, instance: reply.instance.map { Array($0.readableBytesView).hexadecimal } ?? "",
                schemas: reply.schemas.map(ServiceSchema.init))
        } catch {
            throw CallError(.internal, reason: "undecodable_reply", message: "the peer's description cannot be read: \(error)")
        }
    }
}
