import BulkheadCore
import BulkheadStore
import Synchronization

// States of a question: (known, or lately not found) answered at once; else waiting → asked, with all that wait → answered.
// One query is under way at a time.

/// Finds keys the index does not know because another suite made them a moment ago. Keys that do not exist cost little: all
/// that come while a query is under way share the next one, and what was not found is not looked for again for a second.
package final class KeyLookup: Sendable {
    /// How long a key that was not found is taken not to exist.
    static let memory = Duration.seconds(1)
    /// Keys not found that are remembered; beyond it all are forgotten, which costs a query each.
    static let remembered = 10_000
    /// Questions that wait; more are refused.
    static let waiting = 4096
    /// Digests of one query.
    static let batch = 256
    /// A query that takes longer has failed.
    static let limit = Duration.seconds(2)

    private typealias Answer = CheckedContinuation<Void, any Error>

    private struct State {
        var absent: [KeyDigest: MonotonicTime] = [:]
        var waiting: [(digest: KeyDigest, answer: Answer)] = []
        var isAsking = false
    }

    private let index: KeyIndex
    private let store: any DurableStore
    private let now: @Sendable () -> MonotonicTime
    private let state = Mutex(State())

    /// Finds keys in `store` for `index`.
    package init(
        index: KeyIndex, store: any DurableStore, now: @escaping @Sendable () -> MonotonicTime = { MonotonicTime.now() }
    ) {
        self.index = index
        self.store = store
        self.now = now
    }

    /// Questions that wait for the next query.
    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Whether the store has to be asked for this key before an answer can be given.
    package func isNeeded(for digest: KeyDigest) -> Bool {
        guard index.find(digest) == nil else { return false }
        let present = now()
        return state.withLock { state in state.absent[digest].map { present - $0 >= Self.memory } ?? true }
    }

    /// Returns when the index knows the key, if the store does.
    /// - Throws: what the store throws; RESOURCE_EXHAUSTED when too many wait: nothing is known of the key then.
    package func find(_ digest: KeyDigest) async throws {
        guard isNeeded(for: digest) else { return }
        try await withCheckedThrowingContinuation { (answer: Answer) in
            enum Step { case refuse, wait, ask }
            let step = state.withLock { state -> Step in
                guard state.waiting.count < Self.waiting else { return .refuse }
                state.waiting.append((digest, answer))
                defer { state.isAsking = true }
                return state.isAsking ? .wait : .ask
            }
            switch step {
            case .refuse: answer.resume(throwing: Self.busy)
            case .wait: break
            // Of its own: a caller that leaves must not take the answer of the others with it.
            case .ask: _ = Task(name: "key lookup") { await ask() }
            }
        }
    }

    private func ask() async {
        while let batch = next() {
            let digests = Array(Set(batch.map(\.digest)))
            do {
                let found = try await store.transact(deadline: .now() + Self.limit) { try KeyTable.find(digests, $0) }
                for key in found { index.publish(key) }
                remember(absent: Set(digests).subtracting(found.map(\.digest)))
                for (_, answer) in batch { answer.resume() }
            } catch {
                for (_, answer) in batch { answer.resume(throwing: error) }
            }
        }
    }

    private func next() -> [(digest: KeyDigest, answer: Answer)]? {
        state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.isAsking = false
                return nil
            }
            let batch = Array(state.waiting.prefix(Self.batch))
            state.waiting.removeFirst(batch.count)
            return batch
        }
    }

    private func remember(absent digests: Set<KeyDigest>) {
        let present = now()
        state.withLock { state in
            if state.absent.count + digests.count > Self.remembered { state.absent = [:] }
            for digest in digests { state.absent[digest] = present }
        }
    }

    private static let busy = CallError(
        .resourceExhausted, reason: "lookup_busy",
        message: "\(waiting) unknown keys wait to be looked up already: try again in a moment", retryAfter: .seconds(1),
        notProcessed: true)
}
