import ArgumentParser
import BulkheadIPC
import Glibc
import NIOCore

/// Serves until it is killed.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serve the echo methods on SOCKET until killed.")

    @Argument(help: "Path of the socket; its directory must be this user's.") var socket: String

    func run() async throws {
        let server = try await IPCServer.start(
            ServerConfiguration(
                service: "echo", socketPath: socket, allowedUIDs: [geteuid()], methods: Echo.methods(Tally()),
                schemas: [Echo.schema]),
            eventLoop: Echo.loop)
        server.setHealth(PeerHealth(state: .ready))
        print("ready")
        fflush(nil)
        try await Echo.loop.sleep(.seconds(365 * 86400))
        withExtendedLifetime(server) {}
    }
}
