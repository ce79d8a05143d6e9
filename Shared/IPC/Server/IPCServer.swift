import BulkheadCore
import CBulkheadSystem
import NIOCore
import NIOPosix

/// Serves methods on a Unix socket, and binds it anew when its file was deleted or replaced.
package final class IPCServer: Sendable {
    private let core: ServerCore
    private let listener: SocketListener

    private init(_ core: ServerCore, _ listener: SocketListener) {
        self.core = core
        self.listener = listener
    }

    /// Binds and listens. - Throws: `IPCServerError` that says what is wrong with the path and what to do.
    package static func start(_ configuration: ServerConfiguration, eventLoop: any EventLoop) async throws -> IPCServer {
        let core = try ServerCore(configuration, eventLoop: eventLoop)
        let listener = SocketListener(
            configuration.socketPath, mode: configuration.socketMode, eventLoop, rejected: { core.reject($0) },
            admit: { try admit($0, core) })
        try await listener.listen()
        return IPCServer(core, listener)
    }

    /// Looks at who connects before a byte is read; throwing closes the connection.
    private static func admit(_ channel: any Channel, _ core: ServerCore) throws {
        let pipeline = channel.pipeline.syncOperations
        let (uid, pid, refusal): (UInt32, Int32, String?) =
            try pipeline.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { descriptor in
                var (uid, gid, pid): (UInt32, UInt32, Int32) = (0, 0, 0)
                let error = bh_peer_credentials(descriptor, &uid, &gid, &pid)
                guard error == 0 else { throw IOError(errnoCode: error, reason: "SO_PEERCRED") }
                return (uid, pid, core.refusal(uid: uid) { gid == $0 || bh_peer_in_group(descriptor, $0) == 1 })
            } ?? (.max, 0, "the peer's uid cannot be told")
        if let refusal {
            core.reject(refusal)
            throw IPCServerError(refusal)
        }
        let pipe = FramePipe(eventLoop: channel.eventLoop)
        core.accept(pipe, uid: uid, pid: pid)
        try pipeline.addHandler(SocketTransport(pipe: pipe))
    }

    /// Tells every connected and future peer how this process is; pushed at once (health with watch).
    package func setHealth(_ health: PeerHealth) {
        core.eventLoop.run { [core] in core.setHealth(health) }
    }

    /// Callable from any thread.
    package func snapshot() -> ServerSnapshot { core.snapshot() }

    /// Stops accepting, tells clients to open no more calls, waits for those in flight, at most `grace`, then closes.
    /// - Returns: the number of calls that were cut off.
    package func drain(grace: Duration) async -> Int {
        // Twice is harmless: the second waits for the end of the first.
        await withUnsafeContinuation { continuation in
            core.eventLoop.run { [core, listener] in
                listener.close()
                core.drain(grace: grace) { continuation.resume(returning: $0) }
            }
        }
    }
}

/// Why a server could not listen.
package struct IPCServerError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// - Parameter description: what is wrong with the path, and what to do.
    package init(_ description: String) { self.description = description }
}
