import ArgumentParser
import BulkheadAPI
import BulkheadIPC
import NIOCore

/// Where a client verb connects, and how.
struct LinkOptions: ParsableArguments {
    @Argument(help: "Path of the socket.") var socket: String
    @Option(help: "The service that must answer there.") var peer = "echo"
    @Option(help: "A uid that may own the socket's directory (repeatable); this process's own and root by default.")
    var owner: [UInt32] = []

    @Option(help: "The id of a connection's first stream: odd.") var firstStream: UInt32 = 1

    func link(caller: String) -> IPCLink {
        var configuration = LinkConfiguration(
            peer: peer, caller: caller, socketPath: socket, schemas: [SchemaVariant.base.schema, PeerMethods.schema])
        configuration.firstStream = firstStream
        if !owner.isEmpty { configuration.allowedOwners = owner }
        return IPCLink(configuration: configuration, eventLoop: Echo.loop)
    }
}
