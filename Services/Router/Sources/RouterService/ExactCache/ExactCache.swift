import BulkheadAPI
import BulkheadCore
import Synchronization

/// Whole answers in memory, by the very same request. Bounded in entries, bytes and time; at the bounds the least recently used
/// answer goes.
package final class ExactCache: Sendable {
    /// What `cache stats` shows.
    package struct Statistics: Sendable, Equatable {
        package var entries = 0
        package var bytes = 0
        package var hits = 0
        package var misses = 0
        package var stored = 0
        /// Answers that went because of a bound.
        package var evicted = 0
        package var expired = 0
    }

    fileprivate struct Entry {
        var events: [ChatAPI.ChatEvent]
        var bytes: Int
        var expires: MonotonicTime
        /// Neighbours in the order of use.
        var newer: CacheKey?
        var older: CacheKey?
    }

    fileprivate struct State {
        var configuration: AnswerCacheConfiguration.Exact
        var entries: [CacheKey: Entry] = [:]
        var newest: CacheKey?
        var oldest: CacheKey?
        var statistics = Statistics()
    }

    /// Memory of all answers together, estimated.
    package static let maxBytes = 64 << 20
    private static let bytesPerEvent = 400

    private let state: Mutex<State>

    package init(_ configuration: AnswerCacheConfiguration.Exact) { state = Mutex(State(configuration: configuration)) }

    /// Answers kept so far stay, as far as the new bounds allow.
    package func reconfigure(_ configuration: AnswerCacheConfiguration.Exact) {
        state.withLock { state in
            state.configuration = configuration
            state.shrink()
        }
    }

    /// The events of the answer, START to USAGE; nil when there is none, or its time is over.
    package func lookup(_ key: CacheKey, now: MonotonicTime) -> [ChatAPI.ChatEvent]? {
        state.withLock { state in
            guard let entry = state.entries[key] else {
                state.statistics.misses += 1
                return nil
            }
            guard now < entry.expires else {
                state.remove(key)
                state.statistics.expired += 1
                state.statistics.misses += 1
                return nil
            }
            state.unlink(key)
            state.link(key)
            state.statistics.hits += 1
            return entry.events
        }
    }

    /// Keeps an answer; replaces an older one to the same request.
    package func store(_ key: CacheKey, _ events: [ChatAPI.ChatEvent], now: MonotonicTime) {
        let bytes = events.reduce(0) { sum, event in
            sum + Self.bytesPerEvent + event.text.utf8.count + (event.json?.utf8.count ?? 0) + (event.signature?.utf8.count ?? 0)
        }
        // One answer must not push out a large share of all others.
        guard bytes <= Self.maxBytes / 16 else { return }
        state.withLock { state in
            state.remove(key)
            state.entries[key] = Entry(events: events, bytes: bytes, expires: now + state.configuration.ttl)
            state.statistics.bytes += bytes
            state.statistics.stored += 1
            state.link(key)
            state.shrink()
        }
    }

    /// Forgets everything. - Returns: how many answers there were.
    package func purge() -> Int {
        state.withLock { state in
            let count = state.entries.count
            state.entries = [:]
            (state.newest, state.oldest) = (nil, nil)
            state.statistics.bytes = 0
            return count
        }
    }

    package var statistics: Statistics {
        state.withLock { state in
            var statistics = state.statistics
            statistics.entries = state.entries.count
            return statistics
        }
    }
}

// The order of use: a list linked through the entries.
extension ExactCache.State {
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
        statistics.bytes -= entry.bytes
    }

    fileprivate mutating func shrink() {
        while let oldest, entries.count > configuration.maxEntries || statistics.bytes > ExactCache.maxBytes {
            remove(oldest)
            statistics.evicted += 1
        }
    }
}
