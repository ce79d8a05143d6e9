import BulkheadCore
import Synchronization

/// Lets so many callers compute at once; others wait in order, up to a bound, then are refused.
package final class ComputeGate: Sendable {
    private struct Waiter: Sendable {
        let number: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State: Sendable {
        var running = 0
        var nextNumber = 0
        /// In order of arrival; at most `waitingLimit` and, of those who compute and stand in line again, `limit`.
        var waiters: [Waiter] = []
    }

    private enum Entry {
        case granted
        case waiting
        case refused(any Error)
    }

    private let limit: Int
    private let waitingLimit: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: callers at once.
    ///   - waiting: callers in line, beyond which `run` refuses.
    package init(limit: Int, waiting: Int) {
        self.limit = limit
        waitingLimit = waiting
    }

    /// Callers in line.
    package var waiting: Int { state.withLock { $0.waiters.count } }

    /// Runs `body` on each item when it is this caller's turn, with a new turn for each, so that a long call does not hold up
    /// short ones.
    /// - Throws: RESOURCE_EXHAUSTED `rate_limited` when too many wait; `CancellationError`; what `body` throws.
    package func run<Item: Sendable, Result: Sendable>(
        _ items: [Item], _ body: (Item) async throws -> Result
    ) async throws -> [Result] {
        var results: [Result] = []
        for item in items {
            try await enter(mayRefuse: results.isEmpty)
            defer { leave() }
            try Task.checkCancellation()
            results.append(try await body(item))
        }
        return results
    }

    private func enter(mayRefuse: Bool) async throws {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                switch admit(Waiter(number: number, continuation: continuation), mayRefuse: mayRefuse) {
                case .granted: continuation.resume()
                case .refused(let error): continuation.resume(throwing: error)
                case .waiting: break
                }
            }
        } onCancel: {
            let cancelled = state.withLock { state in
                state.waiters.firstIndex { $0.number == number }.map { state.waiters.remove(at: $0) }
            }
            cancelled?.continuation.resume(throwing: CancellationError())
        }
    }

    private func admit(_ waiter: Waiter, mayRefuse: Bool) -> Entry {
        state.withLock { state in
            // Under the lock: a cancellation before this is seen here, one after it finds the waiter.
            if Task.isCancelled { return .refused(CancellationError()) }
            if state.running < limit {
                state.running += 1
                return .granted
            }
            guard !mayRefuse || state.waiters.count < waitingLimit else { return .refused(refusal) }
            state.waiters.append(waiter)
            return .waiting
        }
    }

    private func leave() {
        let next = state.withLock { state -> Waiter? in
            // The turn passes on without becoming free in between, so nobody overtakes the line.
            if !state.waiters.isEmpty { return state.waiters.removeFirst() }
            state.running -= 1
            return nil
        }
        next?.continuation.resume()
    }

    private var refusal: CallError {
        CallError(
            .resourceExhausted, reason: "rate_limited",
            message: "\(waitingLimit) calls already wait for the embedder; try again in a moment", retryAfter: .seconds(1),
            notProcessed: true)
    }
}
