import BulkheadAPI
import BulkheadCore
import Synchronization

/// Whole answers in memory. Bounded in entries, bytes and time; at the bounds the least recently used answer goes.
package final class MemoryAnswers: AnswerStore {
    fileprivate struct Entry {
        var events: [ChatAPI.ChatEvent]
        var bytes: Int
        var freshUntil: MonotonicTime
        var staleUntil: MonotonicTime
        /// Neighbours in the order of use.
        var newer: CacheKey?
        var older: CacheKey?
    }

    fileprivate struct State {
        var maxEntries: Int
        var entries: [CacheKey: Entry] = [:]
        var tenants: [TenantDigest: Set<CacheKey>] = [:]
        var newest: CacheKey?
        var oldest: CacheKey?
        var bytes = 0
        var statistics = StoreStatistics(store: "memory")
    }

    /// Memory of all answers together, estimated.
    package static let maxBytes = 64 << 20
    private static let bytesPerEvent = 400

    package let name = "memory"
    private let state: Mutex<State>

    package init(maxEntries: Int) { state = Mutex(State(maxEntries: maxEntries)) }

    /// Answers kept so far stay, as far as the new bound allows.
    package func reconfigure(maxEntries: Int) {
        state.withLock { state in
            state.maxEntries = maxEntries
            state.shrink()
        }
    }

    package func find(_ key: CacheKey, now: MonotonicTime) -> KeptAnswer? {
        state.withLock { state in
            guard let entry = state.entries[key] else { return state.miss() }
            guard now < entry.staleUntil else {
                state.remove(key)
                state.statistics.expired += 1
                return state.miss()
            }
            let isFresh = now < entry.freshUntil
            if isFresh { state.statistics.hits += 1 } else { state.statistics.misses += 1 }
            state.unlink(key)
            state.link(key)
            return KeptAnswer(events: entry.events, isFresh: isFresh)
        }
    }

    package func keep(_ key: CacheKey, _ events: [ChatAPI.ChatEvent], _ time: KeepingTime, now: MonotonicTime) {
        let bytes = events.reduce(0) { sum, event in
            sum + Self.bytesPerEvent + event.text.utf8.count + (event.json?.utf8.count ?? 0) + (event.signature?.utf8.count ?? 0)
        }
        state.withLock { state in
            // One answer must not push out a large share of all others.
            guard bytes <= Self.maxBytes / 16 else { return state.statistics.tooLarge += 1 }
            state.remove(key)
            state.entries[key] = Entry(
                events: events, bytes: bytes, freshUntil: now + time.fresh, staleUntil: now + time.fresh + time.stale)
            state.tenants[key.tenant, default: []].insert(key)
            state.bytes += bytes
            state.statistics.stored += 1
            state.link(key)
            state.shrink()
        }
    }

    package func purge(_ tenant: TenantDigest?) -> Int {
        state.withLock { state in
            guard let tenant else {
                let count = state.entries.count
                (state.entries, state.tenants, state.newest, state.oldest, state.bytes) = ([:], [:], nil, nil, 0)
                return count
            }
            let keys = state.tenants[tenant] ?? []
            for key in keys { state.remove(key) }
            return keys.count
        }
    }

    package var statistics: StoreStatistics {
        state.withLock { state in
            var statistics = state.statistics
            (statistics.entries, statistics.bytes) = (state.entries.count, state.bytes)
            return statistics
        }
    }
}

extension MemoryAnswers.State {
    fileprivate mutating func miss() -> KeptAnswer? {
        statistics.misses += 1
        return nil
    }

    // The order of use: a list linked through the entries.

    fileprivate mutating func link(_ key: CacheKey) {
        entries[key]?.older = newest
        entries[key]?.newer = nil
        if let newest { entries[newest]?.newer = key } else { oldest = key }
        newest = key
    }

    fileprivate mutating func unlink(_ key: CacheKey) {
        guard let entry = entries[key] else { return }
        if let newer = entry.newer { entries[newer]?.older = entry.older } else { newest = entry.older }
        if let older = entry.older { entries[older]?.newer = entry.newer } else { oldest = entry.newer }
    }

    fileprivate mutating func remove(_ key: CacheKey) {
        guard let entry = entries[key] else { return }
        unlink(key)
        entries[key] = nil
        tenants[key.tenant]?.remove(key)
        if tenants[key.tenant]?.isEmpty == true { tenants[key.tenant] = nil }
        bytes -= entry.bytes
    }

    fileprivate mutating func shrink() {
        while let oldest, entries.count > maxEntries || bytes > MemoryAnswers.maxBytes {
            remove(oldest)
            statistics.evicted += 1
        }
    }
}
