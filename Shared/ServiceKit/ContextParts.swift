import BulkheadCore
import BulkheadIPC
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// What stands behind a `ServiceContext`: the links, the thread pool, the background tasks, the process's health.
final class ContextParts: Sendable {
    private struct State {
        var health = PeerHealth(state: .starting)
        var observer: (@Sendable (PeerHealth) -> Void)?
        var tasks: [Task<Void, Never>] = []
        var waiting = 0
        var failure: (@Sendable (String) -> Void)?
    }

    private static let maximumWaiting = 1024

    let links: [ServiceName: IPCLink]
    let order: [ServiceName]
    let deadlines: [ServiceName: Duration]
    private let pool: NIOThreadPool
    private let logger: Logger
    private let state = Mutex(State())

    init(links: [(ServiceName, IPCLink)], deadlines: [ServiceName: Duration], logger: Logger) {
        self.links = Dictionary(uniqueKeysWithValues: links)
        self.order = links.map(\.0)
        self.deadlines = deadlines
        self.logger = logger
        pool = NIOThreadPool(numberOfThreads: 4)
        pool.start()
    }

    var health: PeerHealth { state.withLock { $0.health } }

    func reportHealth(_ health: PeerHealth) {
        let observer = state.withLock { state -> (@Sendable (PeerHealth) -> Void)? in
            // A process that drains does not become ready again.
            guard state.health != health, state.health.state != .draining else { return nil }
            state.health = health
            return state.observer
        }
        observer?(health)
    }

    /// Tells the observer the present health and every later one.
    func observeHealth(_ observer: @escaping @Sendable (PeerHealth) -> Void) {
        let health = state.withLock { state in
            state.observer = observer
            return state.health
        }
        observer(health)
    }

    /// Who is told when background work fails.
    func observeFailure(_ observer: @escaping @Sendable (String) -> Void) { state.withLock { $0.failure = observer } }

    func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        let admitted = state.withLock { state in
            guard state.waiting < Self.maximumWaiting else { return false }
            state.waiting += 1
            return true
        }
        guard admitted else {
            throw CallError(
                .resourceExhausted, reason: "busy",
                message: "\(Self.maximumWaiting) blocking operations wait already; try again later",
                retryAfter: .seconds(1))
        }
        defer { state.withLock { $0.waiting -= 1 } }
        return try await pool.runIfActive { try work() }
    }

    func background(_ label: String, _ body: @escaping @Sendable () async throws -> Void) {
        let task = Task { [logger] in
            do {
                try await body()
            } catch is CancellationError {
                return
            } catch {
                if Task.isCancelled { return }
                logger.critical("background work failed", metadata: ["work": "\(label)", "error": "\(error)"])
                let observer = self.state.withLock { $0.failure }
                observer?("\(label): \(error)")
            }
        }
        state.withLock { $0.tasks.append(task) }
    }

    /// From now on the process aborts when its loop or its blocking threads hang.
    func startWatchdog(_ eventLoop: any EventLoop) throws(StartupFailure) {
        try LoopWatchdog.start(eventLoop, blocking: pool)
    }

    /// Cancels background work and waits for its end, then ends links and threads.
    func close() async {
        let tasks = state.withLock { state in
            defer { state.tasks = [] }
            return state.tasks
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        for (_, link) in links { await link.close() }
        do {
            try await pool.shutdownGracefully()
        } catch {
            logger.warning("the thread pool did not end", metadata: ["error": "\(error)"])
        }
    }
}
