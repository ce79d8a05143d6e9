import BulkheadCore
import NIOCore

/// Client and server in one process over memory, the same state machines without a socket: for tests.
package enum InProcessTransport {
    /// A link connected to a server that serves `methods`.
    /// - Throws: `IPCServerError` when the methods do not go together.
    package static func connect(
        service: String, methods: [ServerMethod], schemas: [ServiceSchema], link: LinkConfiguration, eventLoop: any EventLoop
    ) async throws -> IPCLink {
        let configuration = ServerConfiguration(
            service: service, socketPath: "", allowedUIDs: [], methods: methods, schemas: schemas)
        let server = try ServerCore(configuration, eventLoop: eventLoop)
        return IPCLink(link, dialer: .memory(server), eventLoop)
    }
}
