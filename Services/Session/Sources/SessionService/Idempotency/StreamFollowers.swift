import BulkheadCore
import NIOCore
import Synchronization

/// Who follows which kept stream. Told by this process of what is added to a stream here; what another process adds is found by
/// asking the store.
package final class StreamFollowers: Sendable {
    /// Followers at once, of all streams.
    package static let maximum = 4_096

    private struct State {
        var byStream: [String: [StreamFollower]] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    /// Nobody follows.
    package init() {}

    /// How many there are.
    package var count: Int { state.withLock { $0.count } }

    /// - Throws: RESOURCE_EXHAUSTED when the most there may be are there.
    func join(_ streamID: String) throws -> StreamFollower {
        let follower = StreamFollower()
        let isIn = state.withLock { state in
            guard state.count < Self.maximum else { return false }
            state.count += 1
            state.byStream[streamID, default: []].append(follower)
            return true
        }
        guard isIn else {
            throw CallError(
                .resourceExhausted, reason: "too_many_followers",
                message: "\(Self.maximum) streams are read already: try again in a moment", retryAfter: .seconds(1),
                notProcessed: true)
        }
        return follower
    }

    func leave(_ streamID: String, _ follower: StreamFollower) {
        state.withLock { state in
            state.count -= 1
            state.byStream[streamID]?.removeAll { $0 === follower }
            if state.byStream[streamID]?.isEmpty == true { state.byStream[streamID] = nil }
        }
    }

    /// Something was added to the stream, or it ended.
    func wake(_ streamID: String) {
        for follower in state.withLock({ $0.byStream[streamID] ?? [] }) { follower.wake() }
    }
}

/// One who follows a stream.
final class StreamFollower: Sendable {
    private struct State {
        var isWoken = false
        var hasBeenTold = false
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// The stream is made in this process.
    var hasBeenTold: Bool { state.withLock { $0.hasBeenTold } }

    func wake() {
        state.withLock { $0.hasBeenTold = true }
        resume()
    }

    /// Waits for a word on the stream, for `limit` at most. A word since the last wait ends this one at once.
    func wait(atMost limit: Duration, on loop: any EventLoop) async throws {
        let timer = loop.scheduleTask(in: .nanoseconds(limit.nanosecondsClamped)) { self.resume() }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWoken = state.withLock { state in
                    if !state.isWoken { state.waiting = continuation }
                    return state.isWoken
                }
                if isWoken { continuation.resume() }
            }
        } onCancel: {
            resume()
        }
        state.withLock { $0.isWoken = false }
        try Task.checkCancellation()
    }

    private func resume() {
        let waiting = state.withLock { state in
            state.isWoken = true
            return state.waiting.take()
        }
        waiting?.resume()
    }
}
