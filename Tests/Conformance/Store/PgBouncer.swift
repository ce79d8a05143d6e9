import BulkheadPostgres
import Foundation
import Testing

/// A PgBouncer in transaction mode before a server: whoever counts on anything of a connection beyond a transaction fails here.
final class PgBouncer: Sendable {
    private let folder: String
    private let port: Int
    private let process: WatchedProcess

    /// One before the shared server.
    static let shared: Result<PgBouncer, any Error> = Result { try PgBouncer(PostgresServer.shared.get()) }

    static let program = "/usr/sbin/pgbouncer"

    init(_ server: PostgresServer) throws {
        folder = try ServerFolder.make("bhpb")
        port = try ServerFolder.freePort()
        // Fewer connections than its clients have, so that they are handed round.
        let settings = """
            [databases]
            * = host=\(server.folder) port=\(server.port) user=bulkhead
            [pgbouncer]
            pool_mode = transaction
            auth_type = any
            listen_port = \(port)
            listen_addr =
            unix_socket_dir = \(folder)
            default_pool_size = 3
            max_client_conn = 500
            logfile = \(folder)/log
            """
        try settings.write(toFile: folder + "/pgbouncer.ini", atomically: false, encoding: .utf8)
        chmod(folder + "/pgbouncer.ini", 0o644)
        process = try WatchedProcess(
            ServerFolder.asServer([Self.program, folder + "/pgbouncer.ini"]), log: folder + "/out")
        let end = ContinuousClock().now + .seconds(10)
        while true {
            do {
                _ = try PostgresConnection.open(PostgresTarget(url: url("postgres"), applicationName: "test"))
                return
            } catch {
                try #require(ContinuousClock().now < end, "PgBouncer did not start: \(error); see \(folder)/log")
            }
            usleep(20_000)
        }
    }

    deinit {
        process.kill()
        ServerFolder.remove(folder)
    }

    func url(_ database: String) -> String { "postgresql://bulkhead@/\(database)?host=\(folder)&port=\(port)" }
}
