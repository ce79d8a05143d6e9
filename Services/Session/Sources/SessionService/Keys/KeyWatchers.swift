import BulkheadAPI
import BulkheadCore
import Synchronization

// States of a watch: open → (a change) told … → (its caller leaves, the process drains) ended. What changes while the last
// change is still being told is put together and told next; beyond `KeyWatchers.most` names of one kind it is "everything".

/// Tells those who remember keys what changed, as it happens.
package final class KeyWatchers: Sendable {
    /// Watches at once.
    static let capacity = 64
    /// Names one watch is told at once.
    static let most = 1024

    /// What one watch has not been told yet.
    private final class Watch: Sendable {
        private struct State {
            var keys: Set<String> = []
            var tenants: Set<String> = []
            var isEverything = false
            /// How spending stands is to be told.
            var freezes = false
        }

        private let state = Mutex(State())
        let wakeups: AsyncStream<Void>
        private let bell: AsyncStream<Void>.Continuation

        init() { (wakeups, bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

        func note(key: String? = nil, tenant: String? = nil, freezes: Bool = false) {
            state.withLock { state in
                if let key { state.keys.insert(key) }
                if let tenant { state.tenants.insert(tenant) }
                if freezes { state.freezes = true }
                if key == nil, tenant == nil, !freezes { state.isEverything = true }
                guard state.isEverything || state.keys.count > most || state.tenants.count > most else { return }
                state = State()
                state.isEverything = true
            }
            bell.yield()
        }

        /// What is to be told; nil: nothing.
        func take(_ standing: TenantIndex) -> SessionAPI.WatchKeysReply? {
            let state = state.withLock { state in
                defer { state = State() }
                return state
            }
            guard state.isEverything || state.freezes || !state.keys.isEmpty || !state.tenants.isEmpty else { return nil }
            var reply = SessionAPI.WatchKeysReply(
                keyIds: state.keys.sorted(), tenants: state.tenants.sorted(), all: state.isEverything)
            guard state.freezes else { return reply }
            // Read after the bell is silent again: what changes from here on rings it once more.
            reply.freezes = standing.freezes(most: most)
            if reply.freezes == nil { reply = SessionAPI.WatchKeysReply(all: true) }
            return reply
        }

        func end() { bell.finish() }
    }

    private struct State {
        var watches: [UInt64: Watch] = [:]
        var next: UInt64 = 0
        var isClosed = false
    }

    private let state = Mutex(State())

    private let tenants: TenantIndex

    /// Nobody watches. - Parameter tenants: who is frozen.
    package init(tenants: TenantIndex = TenantIndex()) { self.tenants = tenants }

    /// Watches that are open.
    package var count: Int { state.withLock { $0.watches.count } }

    /// Tells `tell` of changes: first of none and who is frozen, which says that none is missed from here on, then of each.
    /// Returns when the process drains.
    /// - Throws: what `tell` throws; RESOURCE_EXHAUSTED beyond `capacity`; CANCELLED when the caller leaves.
    package func watch(_ tell: (SessionAPI.WatchKeysReply) async throws -> Void) async throws {
        guard let (number, watch) = try open() else { return }
        defer { close(number) }
        try await tell(SessionAPI.WatchKeysReply(freezes: tenants.freezes(most: Self.most)))
        for await _ in watch.wakeups {
            if let change = watch.take(tenants) { try await tell(change) }
        }
        try Task.checkCancellation()
    }

    /// Ends all watches, and those that follow.
    package func close() {
        let watches = state.withLock { state in
            state.isClosed = true
            defer { state.watches = [:] }
            return state.watches.values
        }
        for watch in watches { watch.end() }
    }

    func keyChanged(_ id: String) { for watch in watches { watch.note(key: id) } }

    func tenantChanged(_ tenant: String) { for watch in watches { watch.note(tenant: tenant) } }

    /// Somebody's spending was frozen or is free again.
    func freezesChanged() { for watch in watches { watch.note(freezes: true) } }

    func everythingChanged() { for watch in watches { watch.note() } }

    private var watches: [Watch] { state.withLock { Array($0.watches.values) } }

    private func open() throws -> (UInt64, Watch)? {
        try state.withLock { state in
            if state.isClosed { return nil }
            guard state.watches.count < Self.capacity else {
                throw CallError(
                    .resourceExhausted, reason: "too_many_watches",
                    message: "\(Self.capacity) watches of keys are open already: one for each edge is enough",
                    retryAfter: .seconds(1), notProcessed: true)
            }
            let watch = Watch()
            state.next += 1
            state.watches[state.next] = watch
            return (state.next, watch)
        }
    }

    private func close(_ number: UInt64) { state.withLock { $0.watches[number] = nil } }
}
