import BulkheadCore
import BulkheadStore
import NIOCore
import Synchronization

/// Keeps the index like the store, where several suites share one. Looks every second for what was changed elsewhere; a key
/// nobody here knows is looked up when it comes (`KeyLookup`). While the store is away the index stays as it is.
package final class KeySharing: Sendable {
    /// How often changes are looked for: they are known within this and the time of a query.
    static let interval = Duration.seconds(1)
    /// How far before the last look the next one reaches, in milliseconds: transactions that began before it, and were not over
    /// then.
    static let reach: Int64 = 10_000

    private let index: KeyIndex
    private let store: any DurableStore
    /// The store's time at the last look; nil: there was none.
    private let seen = Mutex<Int64?>(nil)

    /// Keeps `index` like `store`.
    package init(index: KeyIndex, store: any DurableStore) {
        self.index = index
        self.store = store
    }

    /// Whether everything was read at least once.
    package var isLoaded: Bool { seen.withLock { $0 != nil } }

    /// Takes in what was changed since the last look; everything, the first time.
    /// - Throws: what the store throws: nothing is missed by it, the next look begins where this one did.
    package func refresh() async throws {
        let start = seen.withLock { $0.map { ChangePage.Place(changedAt: $0 - Self.reach, name: "") } } ?? .start
        let now = try await store.transact { $0.now }
        // Who is blocked is known before a key of theirs is.
        try await read(from: start, { try TenantTable.changed(after: $0, $1) }) { [index] tenant in
            index.publish(tenant)
            return ChangePage.Place(changedAt: tenant.changedAt, name: tenant.tenant)
        }
        try await read(from: start, { try KeyTable.changed(after: $0, $1) }) { [index] key in
            index.publish(key)
            return ChangePage.Place(changedAt: key.changedAt, name: key.id)
        }
        seen.withLock { $0 = max($0 ?? now, now) }
    }

    /// Looks every second, until cancelled.
    /// - Parameter report: told when the store stops answering (the error) and when it answers again (nil).
    package func run(on eventLoop: any EventLoop, report: @Sendable ((any Error)?) -> Void) async throws {
        var isFailing = false
        while true {
            do {
                try await refresh()
                if isFailing { report(nil) }
                isFailing = false
            } catch is CancellationError {
                return
            } catch {
                if !isFailing { report(error) }
                isFailing = true
            }
            try await eventLoop.sleep(Self.interval)
        }
    }

    /// - Parameter take: takes a row in, and says where it stands.
    private func read<Row: Sendable>(
        from start: ChangePage.Place,
        _ page: @escaping @Sendable (ChangePage.Place, any StoreTransaction) throws -> [Row],
        take: (Row) -> ChangePage.Place
    ) async throws {
        var place = start
        while true {
            let from = place
            let rows = try await store.transact { try page(from, $0) }
            for row in rows { place = take(row) }
            guard rows.count == ChangePage.size else { return }
        }
    }
}
