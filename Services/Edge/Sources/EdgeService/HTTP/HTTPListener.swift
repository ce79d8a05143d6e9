import BulkheadConfig
import BulkheadIPC
import BulkheadServiceKit
import Glibc
import HummingbirdCore
import NIOCore
import NIOPosix
import Synchronization

/// One address edge listens on.
final class HTTPListener: Sendable {
    private let address: HostPort
    private let server: Server<EdgeChannel>
    private let connections = ConnectionSet()
    private let bound: EventLoopPromise<Void>
    private let context: ServiceContext
    private let isListening = Atomic(false)
    private let isDraining = Atomic(false)

    init(address: HostPort, context: ServiceContext, responder: @escaping EdgeChannel.Responder) {
        self.address = address
        self.context = context
        let bound = context.eventLoop.makePromise(of: Void.self)
        self.bound = bound
        server = Server(
            childChannelSetup: EdgeChannel(responder: responder, connections: connections),
            configuration: ServerConfiguration(address: .hostname(address.host, port: address.port), backlog: 4096),
            onServerRunning: { _ in bound.succeed() },
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: context.logger)
    }

    /// Open connections.
    var connectionCount: Int { connections.count }

    /// Listens. - Throws: `StartupFailure` that names the address, e.g. when it is taken.
    func start() async throws {
        context.background("http \(address)") { [self] in
            do {
                try await server.run()
            } catch {
                bound.fail(error)
                // Before it listened `start` says what is wrong.
                guard isListening.load(ordering: .relaxed) else { return }
            }
            // A process that listens no more is of no use, and looks alive.
            guard isDraining.load(ordering: .relaxed) else { throw StartupFailure("the listener on \(address) has ended") }
        }
        do {
            try await bound.futureResult.get()
            isListening.store(true, ordering: .relaxed)
        } catch {
            throw StartupFailure(Self.refusal(address, error))
        }
    }

    /// Stops accepting, closes idle connections, lets requests finish, and closes what is left after `grace`.
    func drain(grace: Duration) async {
        isDraining.store(true, ordering: .relaxed)
        let cutOff = context.eventLoop.scheduleTask(in: TimeAmount(grace)) { [connections] in connections.closeAll() }
        do {
            try await server.shutdownGracefully()
        } catch {
            context.logger.warning("the listener did not close cleanly", metadata: ["error": "\(error)"])
        }
        cutOff.cancel()
    }

    private static func refusal(_ address: HostPort, _ error: any Error) -> String {
        if let error = error as? IOError, error.errnoCode == EADDRINUSE {
            return "cannot listen on \(address): another process listens there; stop it or change the address in the section edge"
        }
        return "cannot listen on \(address): \(error); is it an address of this machine? Change it in the section edge"
    }
}
