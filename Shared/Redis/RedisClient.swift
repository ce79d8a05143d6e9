import BulkheadCore
import BulkheadResilience
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

// States: away (no connection; everything fails at once, nothing waits) → ready (commands go out; the breaker watches them) →
// away again, when the connection ends or the breaker opens. `maintain` moves it: it dials, introduces itself, asks for a PONG,
// and only then is it ready; between two dials it waits, longer each time.

/// Time limits of a Redis.
package struct RedisLimits: Sendable {
    /// For a connection, and for each word of the introduction.
    package var connect: Duration
    /// The waits between two tries to connect.
    package var backoff: ClosedRange<Duration>
    /// When commands that fail end the connection.
    package var breaker: CircuitBreaker.Configuration

    /// Limits for a Redis on the same network.
    package init(
        connect: Duration = .milliseconds(500), backoff: ClosedRange<Duration> = .milliseconds(50) ... .seconds(5),
        breaker: CircuitBreaker.Configuration = .init(slowRatio: 2, openFor: .milliseconds(50), halfOpenSuccesses: 1)
    ) {
        self.connect = connect
        self.backoff = backoff
        self.breaker = breaker
    }
}

/// What a client tells of itself; called on the event loop.
package struct RedisObserver: Sendable {
    /// A batch has ended: how long it took, and why it failed.
    package var batch: @Sendable (Duration, RedisFailure?) -> Void
    /// It can be used, or no more; with the reason.
    package var state: @Sendable (Bool, RedisFailure?) -> Void

    /// An observer; by default nobody looks.
    package init(
        batch: @escaping @Sendable (Duration, RedisFailure?) -> Void = { _, _ in },
        state: @escaping @Sendable (Bool, RedisFailure?) -> Void = { _, _ in }
    ) {
        self.batch = batch
        self.state = state
    }
}

/// A Redis behind one pipelined connection. A Redis that is slow, frozen or away costs the callers of that moment their
/// command's time, and later ones nothing.
///
/// `@unchecked Sendable`: touched on its event loop only, but for `isReady`.
package final class RedisClient: @unchecked Sendable {
    private let address: RedisAddress
    private let eventLoop: any EventLoop
    private let limits: RedisLimits
    private let password: @Sendable () async throws -> String?
    private let observer: RedisObserver
    private let logger: Logger
    private let ready = Atomic<Bool>(false)
    private var connection: RedisConnection?
    private var breaker: CircuitBreaker
    private var backoff: Backoff
    private var reason: RedisFailure? = .away

    /// - Parameter password: asked at every connection.
    package init(
        _ address: RedisAddress, eventLoop: any EventLoop, limits: RedisLimits = RedisLimits(),
        password: @escaping @Sendable () async throws -> String?, observer: RedisObserver = RedisObserver(), logger: Logger
    ) {
        self.address = address
        self.eventLoop = eventLoop
        self.limits = limits
        self.password = password
        self.observer = observer
        self.logger = logger
        let seed = UInt64.random(in: .min ... .max)
        breaker = CircuitBreaker(limits.breaker, seed: seed)
        backoff = Backoff(base: limits.backoff.lowerBound, limit: limits.backoff.upperBound, seed: seed)
    }

    /// There is a connection that works. From any thread.
    package var isReady: Bool { ready.load(ordering: .acquiring) }

    /// Sends commands in one write and gives their replies, in order.
    /// - Throws: `RedisFailure`; `away` and `busy` at once.
    package func run(_ commands: [RedisCommand], within limit: Duration) async throws(RedisFailure) -> [RedisReply] {
        guard isReady else { throw .away }
        let result = await withCheckedContinuation { continuation in
            eventLoop.run { self.submit(commands, within: limit) { continuation.resume(returning: $0) } }
        }
        return try result.get()
    }

    /// The same without waiting: commands sent later arrive later. `done` is called on the event loop.
    package func send(
        _ commands: [RedisCommand], within limit: Duration,
        _ done: @escaping @Sendable (Result<[RedisReply], RedisFailure>) -> Void
    ) {
        guard isReady else { return done(.failure(.away)) }
        eventLoop.run { self.submit(commands, within: limit, done) }
    }

    /// Keeps the connection until the task is cancelled. Run it once, for as long as the client is used.
    package func maintain() async {
        while !Task.isCancelled {
            do {
                let connection = try await dial()
                await stay(connection)
            } catch {
                noteFailure(error)
            }
            do {
                try await eventLoop.pause(backoff.next())
            } catch {
                break
            }
        }
    }

    // MARK: ready

    private func submit(
        _ commands: [RedisCommand], within limit: Duration,
        _ done: @escaping @Sendable (Result<[RedisReply], RedisFailure>) -> Void
    ) {
        let started = MonotonicTime.now()
        guard let connection, case .permit(let permit) = breaker.admit(now: started) else { return done(.failure(.away)) }
        connection.send(commands, within: limit) { result in
            let now = MonotonicTime.now()
            self.record(permit, result, now)
            self.observer.batch(now - started, result.failure)
            done(result)
        }
    }

    private func record(_ permit: CircuitBreaker.Permit, _ result: Result<[RedisReply], RedisFailure>, _ now: MonotonicTime) {
        switch result.failure {
        case nil:
            breaker.record(permit, outcome: .success, now: now)
            // Connected is not yet well: a Redis that answers PING and nothing else is dialled less and less often.
            backoff.reset()
        case .busy, .away: breaker.record(permit, outcome: .neutral, now: now)
        default: breaker.record(permit, outcome: .failure, now: now)
        }
        if breaker.state == .open { leave(.timeout) }
    }

    /// No more commands; those that wait are told at once.
    private func leave(_ why: RedisFailure) {
        guard let connection else { return }
        ready.store(false, ordering: .releasing)
        self.connection = nil
        observer.state(false, why)
        logger.warning("redis is away", metadata: ["redis": "\(address.place)", "reason": "\(why)"])
        reason = why
        connection.close()
    }

    // MARK: away

    private func stay(_ connection: RedisConnection) async {
        self.connection = connection
        breaker.peerRestarted(now: .now())
        reason = nil
        ready.store(true, ordering: .releasing)
        observer.state(true, nil)
        logger.notice("redis is ready", metadata: ["redis": "\(address.place)"])
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                connection.closed.whenComplete { _ in continuation.resume() }
            }
        } onCancel: {
            eventLoop.execute { connection.close() }
        }
        leave(.lost)
    }

    private func noteFailure(_ failure: RedisFailure) {
        guard failure != reason, !Task.isCancelled else { return }
        reason = failure
        observer.state(false, failure)
        logger.warning("redis cannot be used", metadata: ["redis": "\(address.place)", "reason": "\(failure)"])
    }

    private func dial() async throws(RedisFailure) -> RedisConnection {
        let connection = try await connect()
        do {
            try await introduce(connection)
            return connection
        } catch {
            connection.close()
            throw error
        }
    }

    private func connect() async throws(RedisFailure) -> RedisConnection {
        let security = try security()
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(TimeAmount(limits.connect))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
        do {
            return switch address.endpoint {
            case .tcp(let host, let port):
                try await bootstrap.connect(host: host, port: port) { Self.dress($0, security, host) }
            case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path) { Self.dress($0, nil, "") }
            }
        } catch {
            throw .lost
        }
    }

    private static func dress(
        _ channel: any Channel, _ security: NIOSSLContext?, _ host: String
    ) -> EventLoopFuture<RedisConnection> {
        channel.eventLoop.makeCompletedFuture {
            if let security {
                // A certificate names hosts; an address is no name to ask for (RFC 6066, 3).
                let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
                let handler = try NIOSSLClientHandler(context: security, serverHostname: isAddress ? nil : host)
                try channel.pipeline.syncOperations.addHandler(handler)
            }
            let connection = RedisConnection(channel)
            try channel.pipeline.syncOperations.addHandler(connection)
            return connection
        }
    }

    /// Read at every connection, so that new authorities need no restart.
    private func security() throws(RedisFailure) -> NIOSSLContext? {
        guard let tls = address.tls else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        if let file = tls.authorityFile { configuration.trustRoots = .file(file) }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw .refused("the authorities' certificates cannot be read")
        }
    }

    private func introduce(_ connection: RedisConnection) async throws(RedisFailure) {
        var commands: [RedisCommand] = []
        if let secret = try await secret() {
            commands.append(RedisCommand(["AUTH"] + (address.user.map { [$0] } ?? []) + [secret]))
        }
        if address.database != 0 { commands.append(RedisCommand("SELECT", "\(address.database)")) }
        commands.append(RedisCommand("PING"))
        let replies = try await connection.run(commands, within: limits.connect)
        if let code = replies.lazy.compactMap(\.errorCode).first { throw .refused(code) }
    }

    private func secret() async throws(RedisFailure) -> String? {
        do {
            return try await password() ?? address.password
        } catch {
            throw .refused("the password file cannot be read")
        }
    }
}

extension Result where Failure == RedisFailure {
    /// The failure; nil for a success.
    fileprivate var failure: RedisFailure? { if case .failure(let failure) = self { failure } else { nil } }
}

extension EventLoop {
    /// Now, when this is the loop's thread; else on it soon.
    fileprivate func run(_ body: @escaping @Sendable () -> Void) { inEventLoop ? body() : execute(body) }

    /// Waits on the loop. - Throws: `CancellationError`.
    fileprivate func pause(_ duration: Duration) async throws {
        let timer = scheduleTask(in: TimeAmount(duration)) {}
        try await withTaskCancellationHandler {
            try await timer.futureResult.get()
        } onCancel: {
            timer.cancel()
        }
    }
}
