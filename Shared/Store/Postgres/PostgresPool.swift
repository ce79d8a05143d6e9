import BulkheadCore
import DequeModule

/// An operation that waits for a thread.
struct PostgresWork: Sendable {
    /// Tells the caller, after the commit.
    typealias Tell = @Sendable () -> Void

    /// How an operation runs in a transaction it shares.
    struct Shared: Sendable {
        let first: FirstStatement
        let run: @Sendable ([SQLRow], PostgresTransaction) throws -> Tell
    }

    let since: MonotonicTime
    /// The caller's; `.never` when it has none.
    let deadline: MonotonicTime
    /// It is not begun after this.
    let until: MonotonicTime
    /// Times its body was run in vain.
    var tries = 0
    /// Runs in a transaction; what it returns tells the caller, after the commit.
    let run: @Sendable (PostgresTransaction) throws -> Tell
    /// How it runs in company; nil: never.
    var shared: Shared?
    let fail: @Sendable (any Error) -> Void
}

/// What the threads of a store share.
///
/// The server: AWAY → (the warden connected, and the tables are up to date) REACHABLE → (no connection is left and none can be
/// made, or the server is silent) AWAY. While it is away work is refused at once, and the warden alone tries to connect.
/// A worker: SPARE → (more waits than others can take) connecting → IDLE ⇄ busy; SPARE again when its connection is lost.
final class PostgresPool: Sendable {
    /// Operations that may wait for a thread.
    static let maximumWaiting = 4096

    enum Bell {
        /// For workers with a connection.
        static let work = 0
        /// For workers without one.
        static let spare = 1
        /// For the warden.
        static let watch = 2
        /// For whoever closes the store.
        static let ended = 3
    }

    private struct State {
        var waiting: Deque<PostgresWork> = []
        /// No later than the first `until` of what waits.
        var earliest = MonotonicTime.never
        /// Workers with a connection that wait.
        var idle = 0
        var connecting = 0
        /// Workers with a connection.
        var live = 0
        /// After a connection failed while others are there none tries before this.
        var connectAfter = MonotonicTime(nanoseconds: 0)
        var away: String? = "no connection was made yet"
        var isClosing = false
        var threads: Int
    }

    private let monitor: Monitor<State>

    /// - Parameter threads: that will call `ended`.
    init(threads: Int) { monitor = Monitor(State(threads: threads), bells: 4) }

    var waitingCount: Int { monitor.withLock { $0.waiting.count } }

    /// Takes work in, or fails it at once.
    func submit(_ work: PostgresWork) {
        let refusal = monitor.withLock { state -> CallError? in
            if state.isClosing { return StoreFailure.closed }
            if let reason = state.away { return StoreFailure.away(reason) }
            guard state.waiting.count < Self.maximumWaiting else { return StoreFailure.busy(Self.maximumWaiting) }
            state.waiting.append(work)
            announce(work, &state)
            return nil
        }
        if let refusal { work.fail(refusal) }
    }

    /// Takes work back whose connection was lost: it is next.
    func resubmit(_ work: PostgresWork) {
        let refusal = monitor.withLock { state -> CallError? in
            if let reason = state.away { return StoreFailure.away(reason) }
            state.waiting.prepend(work)
            announce(work, &state)
            return nil
        }
        if let refusal { work.fail(refusal) }
    }

    private func announce(_ work: PostgresWork, _ state: inout State) {
        if work.until < state.earliest {
            state.earliest = work.until
            monitor.ring(Bell.watch)
        }
        monitor.ring(state.waiting.count <= state.idle ? Bell.work : Bell.spare)
    }

    /// For a worker with a connection. Blocks. - Returns: an operation, or several to be done together; nil when the store is
    /// closed and nothing is left.
    func nextWork() -> [PostgresWork]? {
        var isCounted = false
        return monitor.wait(Bell.work) { state in
            let work = state.waiting.popFirst()
            if work != nil || state.isClosing {
                if isCounted { state.idle -= 1 }
                return .found(work.map { Self.company(of: $0, in: &state.waiting) })
            }
            if !isCounted { state.idle += 1 }
            isCounted = true
            return .wait(until: .never)
        }
    }

    /// For a worker without a connection. Blocks until one more is needed. - Returns: false when the store is closed.
    func needsConnection() -> Bool {
        monitor.wait(Bell.spare) { state in
            if state.isClosing { return .found(false) }
            guard state.away == nil, state.waiting.count > state.idle + state.connecting else { return .wait(until: .never) }
            guard MonotonicTime.now() >= state.connectAfter else { return .wait(until: state.connectAfter) }
            state.connecting += 1
            return .found(true)
        }
    }

    func connected() {
        monitor.withLock { state in
            state.connecting -= 1
            state.live += 1
        }
    }

    /// - Parameter pause: until the next worker tries, when others have connections; else the server is away.
    func connectFailed(_ reason: String, pause: Duration) {
        let left = monitor.withLock { state -> [PostgresWork] in
            state.connecting -= 1
            state.connectAfter = .now() + pause
            if state.live == 0 { return leave(reason, &state) }
            monitor.ring(Bell.spare, all: true)
            return []
        }
        for work in left { work.fail(StoreFailure.away(reason)) }
    }

    func disconnected() { monitor.withLock { $0.live -= 1 } }

    /// The server is not to be trusted any more: nobody waits for it until the warden has spoken to it.
    func wentAway(_ reason: String) {
        let left = monitor.withLock { leave(reason, &$0) }
        for work in left { work.fail(StoreFailure.away(reason)) }
    }

    private func leave(_ reason: String, _ state: inout State) -> [PostgresWork] {
        state.away = reason
        state.earliest = .never
        monitor.ring(Bell.watch)
        defer { state.waiting = [] }
        return Array(state.waiting)
    }

    func ended() {
        monitor.withLock { $0.threads -= 1 }
        monitor.ring(Bell.ended, all: true)
    }

    /// Takes nothing in any more, and waits until what was is done. Blocks.
    func close() {
        monitor.withLock { $0.isClosing = true }
        for bell in [Bell.work, Bell.spare, Bell.watch] { monitor.ring(bell, all: true) }
        let left = monitor.wait(Bell.ended) { state -> Monitor<State>.Look<[PostgresWork]> in
            guard state.threads == 0 else { return .wait(until: .never) }
            defer { state.waiting = [] }
            return .found(Array(state.waiting))
        }
        for work in left { work.fail(StoreFailure.closed) }
    }
}

// MARK: the warden's side

extension PostgresPool {
    enum Watch {
        /// The server is away, for this reason.
        case away(String)
        /// These waited beyond their time.
        case late([PostgresWork])
        case closed
    }

    /// Blocks until there is something for the warden to do.
    func watch() -> Watch {
        monitor.wait(Bell.watch) { state in
            if state.isClosing { return .found(.closed) }
            if let reason = state.away { return .found(.away(reason)) }
            let now = MonotonicTime.now()
            guard state.earliest <= now else { return .wait(until: state.earliest) }
            let late = state.waiting.filter { $0.until <= now }
            state.waiting.removeAll { $0.until <= now }
            state.earliest = state.waiting.lazy.map(\.until).min() ?? .never
            return late.isEmpty ? .wait(until: state.earliest) : .found(.late(Array(late)))
        }
    }

    /// Rests, unless the store is closed meanwhile. - Returns: false when it is.
    func rest(until time: MonotonicTime) -> Bool {
        monitor.wait(Bell.watch) { state in
            if state.isClosing { return .found(false) }
            return MonotonicTime.now() >= time ? .found(true) : .wait(until: time)
        }
    }

    func becameReachable() {
        monitor.withLock { state in
            state.away = nil
            state.connectAfter = MonotonicTime(nanoseconds: 0)
        }
    }

    func stayedAway(_ reason: String) { monitor.withLock { $0.away = reason } }
}
