import Logging
import NIOCore
import NIOPosix

/// The listening socket of a server.
///
/// States: closed → listening → closed. While listening it looks at its file now and then: one that was deleted or replaced
/// leaves connections alive and lets nobody new in, which nobody would notice before the next restart of a peer. Whoever owns
/// the server holds the instance lock, so that taking the path back is taking one's own.
///
/// `@unchecked Sendable`: touched on the event loop only, after its creation.
final class SocketListener: @unchecked Sendable {
    private static let checkEvery: TimeAmount = .seconds(2)

    private let path: String
    private let mode: UInt32
    private let eventLoop: any EventLoop
    private let admit: @Sendable (any Channel) throws -> Void
    private let rejected: @Sendable (String) -> Void
    private let logger = Logger(label: "bulkhead.ipc")
    private var channel: (any Channel)?
    private var identity: SocketPath.FileIdentity?
    private var isClosed = false
    /// The last problem that was logged; said once, not with every look.
    private var told = ""

    /// - Parameters:
    ///   - rejected: told why connections were turned away unseen.
    ///   - admit: looks at every connection before a byte is read; throwing closes it.
    init(
        _ path: String, mode: UInt32, _ eventLoop: any EventLoop, rejected: @escaping @Sendable (String) -> Void,
        admit: @escaping @Sendable (any Channel) throws -> Void
    ) {
        self.path = path
        self.mode = mode
        self.eventLoop = eventLoop
        self.rejected = rejected
        self.admit = admit
    }

    /// Binds, listens, and keeps watch from then on. - Throws: `IPCServerError`.
    func listen() async throws {
        let descriptor = try SocketPath.listen(path, mode: mode)
        let identity = SocketPath.identity(path)
        let channel = try await accept(on: descriptor).get()
        try await eventLoop.submit {
            self.install(channel, identity)
            self.watch()
        }.get()
    }

    func close() {
        isClosed = true
        SocketPath.remove(path, identity)
        channel?.close(promise: nil)
        channel = nil
    }

    private func accept(on descriptor: NIOBSDSocket.Handle) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: eventLoop)
            // Without descriptors for who wants in, accepting pauses for a second instead of failing over and over.
            .serverChannelInitializer { [rejected] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        AcceptBackoffHandler(), DescriptorReserve(rejected: rejected))
                }
            }
            .serverChannelOption(.maxMessagesPerRead, value: 256)
            .childChannelOption(.maxMessagesPerRead, value: 16)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .childChannelInitializer { [admit] channel in
                channel.eventLoop.makeCompletedFuture { try admit(channel) }
            }
            .withBoundSocket(descriptor)
    }

    private func install(_ channel: any Channel, _ identity: SocketPath.FileIdentity?) {
        guard !isClosed else {
            SocketPath.remove(path, identity)
            return channel.close(promise: nil)
        }
        self.channel?.close(promise: nil)
        self.channel = channel
        self.identity = identity
    }

    private func watch() {
        eventLoop.assumeIsolated().scheduleTask(in: Self.checkEvery) { [weak self] in self?.check() }
    }

    private func check() {
        guard !isClosed else { return }
        guard SocketPath.identity(path) != identity else { return watch() }
        do {
            let descriptor = try SocketPath.listen(path, mode: mode)
            let identity = SocketPath.identity(path)
            accept(on: descriptor).assumeIsolated().whenComplete { self.rebound($0, identity) }
        } catch {
            tell("the socket file is gone or was replaced, and cannot be bound anew: \(error)")
            watch()
        }
    }

    private func rebound(_ result: Result<any Channel, any Error>, _ identity: SocketPath.FileIdentity?) {
        switch result {
        case .success(let channel):
            install(channel, identity)
            told = ""
            logger.warning("the socket file was deleted or replaced; bound it anew", metadata: ["socket": "\(path)"])
        case .failure(let error): tell("the socket file was deleted or replaced, and its successor cannot listen: \(error)")
        }
        if !isClosed { watch() }
    }

    private func tell(_ problem: String) {
        guard problem != told else { return }
        told = problem
        logger.error("\(problem)", metadata: ["socket": "\(path)"])
    }
}
