import BulkheadCore
import NIOCore
import Synchronization

/// Lets so many requests run at once; more wait in line, first come first served, for a while; more than that are refused.
package final class RequestGate: Sendable {
    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Void, any Error>
        let timer: Scheduled<Void>
    }

    private struct State {
        var running = 0
        var line: [Waiter] = []
        /// Index of the first waiter of `line`; what stands before it is spent.
        var head = 0
        var lastID: UInt64 = 0
        var gone: Set<UInt64> = []
    }

    private let limit: Int
    private let depth: Int
    private let maxWait: Duration
    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: requests that run at once.
    ///   - depth: requests that wait at once.
    package init(limit: Int, depth: Int, maxWait: Duration, eventLoop: any EventLoop) {
        self.limit = limit
        self.depth = depth
        self.maxWait = maxWait
        self.eventLoop = eventLoop
    }

    /// Requests that run.
    package var running: Int { state.withLock { $0.running } }
    /// Requests that wait.
    package var waiting: Int { state.withLock { $0.line.count - $0.head } }

    /// Takes a place, waiting for one if needed; `leave` gives it back.
    /// - Throws: `EdgeError` 503 when the line is full or the wait too long; `CancellationError`.
    package func enter() async throws {
        let entered = try state.withLock { state -> Bool in
            if state.running < limit {
                state.running += 1
                return true
            }
            guard state.line.count - state.head < depth else { throw refusal("more requests wait than the queue holds") }
            return false
        }
        if !entered { try await wait() }
    }

    /// Gives the place to the first in line, or frees it.
    package func leave() {
        let next = state.withLock { state -> Waiter? in
            guard state.head < state.line.count else {
                state.running -= 1
                return nil
            }
            let waiter = state.line[state.head]
            state.head += 1
            if state.head * 2 >= state.line.count {
                state.line.removeFirst(state.head)
                state.head = 0
            }
            return waiter
        }
        next?.timer.cancel()
        next?.continuation.resume()
    }

    private func wait() async throws {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        defer { state.withLock { _ = $0.gone.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = eventLoop.scheduleTask(in: TimeAmount(maxWait)) { [self] in
                    end(id, refusal("it waited \(maxWait) for a free place"))
                }
                let isGone = state.withLock { state in
                    if state.gone.remove(id) != nil { return true }
                    state.line.append(Waiter(id: id, continuation: continuation, timer: timer))
                    return false
                }
                if isGone {
                    timer.cancel()
                    continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            end(id, CancellationError(), orRemember: true)
        }
    }

    /// Takes a waiter out of the line with an error.
    /// - Parameter orRemember: it may not have joined the line yet; it is then refused when it does.
    private func end(_ id: UInt64, _ error: any Error, orRemember: Bool = false) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.line[state.head...].firstIndex(where: { $0.id == id }) else {
                if orRemember { state.gone.insert(id) }
                return nil
            }
            return state.line.remove(at: index)
        }
        waiter?.timer.cancel()
        waiter?.continuation.resume(throwing: error)
    }

    private func refusal(_ why: String) -> EdgeError {
        EdgeError(
            .overloaded, message: "The server runs \(limit) requests, its limit, and \(why). Try again shortly.",
            retryAfter: .seconds(1))
    }
}
