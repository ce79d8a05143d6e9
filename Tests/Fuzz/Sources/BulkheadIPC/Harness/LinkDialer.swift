import NIOCore

/// In the place of the product's dialer: reaches a hostile server, or a good one that takes its place, in this process.
enum LinkDialer: Sendable {
    case socket(path: String, owners: [UInt32])
    case memory(ServerCore)
    case hostile(HostileServer)

    /// Opens a connection for `pipe`.
    func dial(_ pipe: FramePipe, failed: @escaping @Sendable (String) -> Void) {
        switch self {
        case .memory(let server): MemoryTransport.connect(pipe, server)
        case .hostile(let server): server.accept(pipe, failed)
        case .socket: failed("there are no sockets here")
        }
    }
}

/// A server whose connections follow a script. `@unchecked Sendable`: one thread.
final class HostileServer: @unchecked Sendable {
    /// The connection that is there, if any.
    private(set) var end: HostileEnd?
    /// Takes the hostile server's place, when set.
    var successor: ServerCore?

    /// Keeps nothing of the connection.
    func forget() { end = nil }

    fileprivate func accept(_ pipe: FramePipe, _ failed: @escaping @Sendable (String) -> Void) {
        if let successor { return MemoryTransport.connect(pipe, successor) }
        let end = HostileEnd(pipe, PeerWatch(.server))
        self.end = end
        pipe.eventLoop.execute { pipe.attach(end) }
    }
}
