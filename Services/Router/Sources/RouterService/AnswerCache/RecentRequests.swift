import BulkheadAPI
import BulkheadCore
import Synchronization

/// The last requests whose answers were kept, as digests of their fields, for `cache explain`.
package final class RecentRequests: Sendable {
    /// One of them.
    package struct Entry: Sendable {
        package let key: CacheKey
        package let partition: CachePartition
        package let alias: String
        package let requestID: String
        package let noted: MonotonicTime
        package let digests: FieldDigests
    }

    /// Requests remembered; then the oldest goes.
    package static let most = 512

    private struct State {
        var entries: [Entry] = []
        var oldest = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Remembers a request whose answer was kept.
    package func note(
        _ key: CacheKey, _ chat: ChatAPI.ChatRequest, alias: String, _ metadata: CallMetadata, now: MonotonicTime = .now()
    ) {
        guard let digests = try? FieldDigests(CanonicalChat.of(chat)) else { return }
        let entry = Entry(
            key: key, partition: CachePartition(metadata), alias: alias, requestID: metadata.requestID, noted: now,
            digests: digests)
        state.withLock { state in
            guard state.entries.count == Self.most else { return state.entries.append(entry) }
            state.entries[state.oldest] = entry
            state.oldest = (state.oldest + 1) % Self.most
        }
    }

    /// The request of this id, the latest if there are several.
    package func find(requestID: String) -> Entry? { all.filter { $0.requestID == requestID }.max { $0.noted < $1.noted } }

    /// The one that differs in the fewest fields, the latest of several.
    package func nearest(to digests: FieldDigests, where isWanted: (Entry) -> Bool) -> Entry? {
        let ranked = all.filter(isWanted).map { ($0, $0.digests.differences(from: digests).count) }
        return ranked.min { ($0.1, $1.0.noted) < ($1.1, $0.0.noted) }?.0
    }

    /// Forgets those of a tenant, or all.
    package func forget(tenant: String?) {
        state.withLock { state in
            state.entries = tenant.map { tenant in state.entries.filter { $0.partition.tenant != tenant } } ?? []
            state.oldest = 0
        }
    }

    private var all: [Entry] { state.withLock { $0.entries } }
}
