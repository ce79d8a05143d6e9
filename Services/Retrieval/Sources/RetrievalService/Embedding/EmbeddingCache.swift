import BulkheadCore
import Synchronization

/// Vectors of texts embedded lately, least recently used out first. Bounded in entries and bytes; entries older than the
/// time to live are not served. A tenant finds only what it embedded itself: otherwise the time an answer takes would tell
/// whether somebody else had sent the same text.
package final class EmbeddingCache: Sendable {
    /// Texts that are canonically equal share an entry: the tokenizer decomposes them to the same ids.
    package struct Key: Hashable, Sendable {
        /// On whose behalf the text was embedded.
        package var tenant: String
        package var text: String

        /// A text of a tenant.
        package init(tenant: String, text: String) {
            self.tenant = tenant
            self.text = text
        }
    }

    fileprivate struct Entry {
        let key: Key
        let value: EmbeddingModel.Embedded
        let born: MonotonicTime
        let bytes: Int
        /// Places of the next more and next less recently used entries; -1 at the ends.
        var newer: Int
        var older: Int
    }

    fileprivate struct State {
        var places: [Key: Int] = [:]
        var entries: [Entry?] = []
        var free: [Int] = []
        var newest = -1
        var oldest = -1
        var bytes = 0
        var timeToLive: Duration
    }

    private let maximumEntries: Int
    private let maximumBytes: Int
    private let state: Mutex<State>

    /// - Parameters:
    ///   - maximumBytes: of texts and vectors, with what an entry costs besides.
    package init(timeToLive: Duration, maximumEntries: Int = 8192, maximumBytes: Int = 32 << 20) {
        precondition(maximumEntries > 0, "bug: a cache of \(maximumEntries) entries holds nothing")
        self.maximumEntries = maximumEntries
        self.maximumBytes = maximumBytes
        state = Mutex(State(timeToLive: timeToLive))
    }

    /// How many entries there are, and what they take.
    package var size: (entries: Int, bytes: Int) { state.withLock { ($0.places.count, $0.bytes) } }

    /// Applies to entries already held, too.
    package func setTimeToLive(_ duration: Duration) { state.withLock { $0.timeToLive = duration } }

    /// The value of `key` if it is held and young enough; it is then the most recently used.
    package func value(of key: Key, at now: MonotonicTime = .now()) -> EmbeddingModel.Embedded? {
        state.withLock { state in
            guard let place = state.places[key], let entry = state.entries[place] else { return nil }
            guard now - entry.born < state.timeToLive else {
                state.remove(place)
                return nil
            }
            state.unlink(place)
            state.link(place)
            return entry.value
        }
    }

    /// Holds `value`; what was used least recently makes room. A value larger than the whole cache is not held.
    package func insert(_ value: EmbeddingModel.Embedded, for key: Key, at now: MonotonicTime = .now()) {
        let bytes = key.tenant.utf8.count + key.text.utf8.count + value.vector.count * 4 + 200
        guard bytes <= maximumBytes else { return }
        state.withLock { state in
            if let place = state.places[key] { state.remove(place) }
            while state.oldest >= 0, state.places.count >= maximumEntries || state.bytes + bytes > maximumBytes {
                state.remove(state.oldest)
            }
            state.add(Entry(key: key, value: value, born: now, bytes: bytes, newer: -1, older: -1))
        }
    }
}

// The list of entries by use, threaded through an array.
extension EmbeddingCache.State {
    fileprivate mutating func add(_ entry: EmbeddingCache.Entry) {
        let place = free.popLast() ?? entries.count
        if place == entries.count { entries.append(entry) } else { entries[place] = entry }
        places[entry.key] = place
        bytes += entry.bytes
        link(place)
    }

    fileprivate mutating func remove(_ place: Int) {
        unlink(place)
        guard let entry = entries[place].take() else { preconditionFailure("bug: place \(place) of the cache is empty") }
        places[entry.key] = nil
        bytes -= entry.bytes
        free.append(place)
    }

    fileprivate mutating func link(_ place: Int) {
        entries[place]?.newer = -1
        entries[place]?.older = newest
        if newest >= 0 { entries[newest]?.newer = place } else { oldest = place }
        newest = place
    }

    fileprivate mutating func unlink(_ place: Int) {
        guard let entry = entries[place] else { return }
        if entry.newer >= 0 { entries[entry.newer]?.older = entry.older } else { newest = entry.older }
        if entry.older >= 0 { entries[entry.older]?.newer = entry.newer } else { oldest = entry.newer }
    }
}
