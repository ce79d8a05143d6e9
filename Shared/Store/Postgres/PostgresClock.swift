import BulkheadCore
import BulkheadPostgres
import Synchronization

/// The server's clock, as its distance from this host's monotonic one: all suites that share a server share it, and a step of the
/// host's clock changes nothing. Until the server was heard it is the host's.
final class PostgresClock: Sendable {
    private struct Reading {
        var offset: Int64
        var read: MonotonicTime
    }

    private let reading = Mutex<Reading?>(nil)
    private let host = StoreClock()
    private let injected: (@Sendable () -> Int64)?

    /// After this long the server is asked again.
    static let interval = Duration.seconds(30)
    private static let question = PostgresCommand("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")

    /// - Parameter injected: a clock to use instead, for tests.
    init(injected: (@Sendable () -> Int64)? = nil) { self.injected = injected }

    /// Milliseconds since 1970.
    var now: Int64 {
        if let injected { return injected() }
        guard let offset = reading.withLock({ $0?.offset }) else { return host.now }
        return offset + Self.milliseconds(.now())
    }

    var isDue: Bool {
        guard injected == nil else { return false }
        return reading.withLock { reading in reading.map { MonotonicTime.now() - $0.read > Self.interval } ?? true }
    }

    /// Asks the server. What it says is taken for the middle of the way there and back.
    func read(_ connection: borrowing PostgresConnection) throws(PostgresError) {
        let sent = MonotonicTime.now()
        let answer = try connection.exchange([Self.question], deadline: sent + .seconds(2))
        guard case .integer(let server)? = try answer.row(0).first else { throw .unreadable("the server told no time") }
        let heard = MonotonicTime.now()
        let offset = server - Self.milliseconds(sent + (heard - sent) / 2)
        reading.withLock { $0 = Reading(offset: offset, read: heard) }
    }

    private static func milliseconds(_ time: MonotonicTime) -> Int64 { Int64(time.nanoseconds / 1_000_000) }
}
