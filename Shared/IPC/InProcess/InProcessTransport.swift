public import BulkheadCore
public import NIOCore

/// Client and server in one process over memory, the same state machines without a socket: for tests.
package enum InProcessTransport {
    /// A link connected to a server that serves `methods`.
    package static func connect(
        service: String, methods: [ServerMethod], schemas: [ServiceSchema], link: LinkConfiguration, eventLoop: any EventLoop
    ) async throws -> IPCLink {
        fatalError("pending")
    }
}
