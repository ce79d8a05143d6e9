import BulkheadAPI
import BulkheadCore
import DequeModule
import NIOCore
import Synchronization

/// What answers had cost when their callers left: kept for a moment, for the caller's question that follows a cancellation.
///
/// States of a call in here: running → gone (nothing was spent, or it came to its end) or left (its cost waits to be taken once).
/// A question about a running call waits a little for its end.
package final class LeftAnswers: Sendable {
    /// One running call.
    package struct Visit: Sendable {
        fileprivate let key: String
    }

    fileprivate typealias Answer = CheckedContinuation<RouterAPI.TakeUsageReply, Never>

    fileprivate struct State {
        var running: [String: Int] = [:]
        var left: [String: RouterAPI.TakeUsageReply] = [:]
        var order: Deque<String> = []
        var waiting: [String: [(id: Int, answer: Answer)]] = [:]
        var lastID = 0
    }

    /// Answers remembered; the oldest goes.
    private static let capacity = 4096
    private static let patience = TimeAmount.milliseconds(500)
    private let eventLoop: any EventLoop
    private let state = Mutex(State())

    package init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// A call begins.
    package func begin(_ metadata: CallMetadata) -> Visit {
        let visit = Visit(key: Self.key(metadata.tenant, metadata.requestID))
        state.withLock { $0.running[visit.key, default: 0] += 1 }
        return visit
    }

    /// A call has ended. - Parameter usage: what was spent on an answer nobody waits for; nil when that was told, or nothing.
    package func end(_ visit: Visit, _ usage: ChatAPI.Usage?, _ served: ChatAPI.Served?) {
        let reply = RouterAPI.TakeUsageReply(usage: usage, served: usage == nil ? nil : served)
        let waiting = state.withLock { state -> [(id: Int, answer: Answer)] in
            let others = (state.running[visit.key] ?? 1) - 1
            state.running[visit.key] = others > 0 ? others : nil
            if let waiting = state.waiting.removeValue(forKey: visit.key) { return waiting }
            if usage != nil { state.keep(visit.key, reply, Self.capacity) }
            return []
        }
        for (_, answer) in waiting { answer.resume(returning: reply) }
    }

    /// Takes what a call had cost.
    package func take(tenant: String, requestID: String) async -> RouterAPI.TakeUsageReply {
        let key = Self.key(tenant, requestID)
        return await withCheckedContinuation { answer in
            let (known, id) = state.withLock { state -> (RouterAPI.TakeUsageReply?, Int) in
                if let known = state.left.removeValue(forKey: key) { return (known, 0) }
                guard state.running[key] != nil else { return (.init(), 0) }
                state.lastID += 1
                state.waiting[key, default: []].append((state.lastID, answer))
                return (nil, state.lastID)
            }
            if let known { return answer.resume(returning: known) }
            eventLoop.scheduleTask(in: Self.patience) { self.giveUp(key, id) }
        }
    }

    private func giveUp(_ key: String, _ id: Int) {
        let answer = state.withLock { state -> Answer? in
            guard let place = state.waiting[key]?.firstIndex(where: { $0.id == id }) else { return nil }
            let answer = state.waiting[key]?.remove(at: place).answer
            if state.waiting[key]?.isEmpty == true { state.waiting[key] = nil }
            return answer
        }
        answer?.resume(returning: .init())
    }

    private static func key(_ tenant: String, _ requestID: String) -> String { "\(tenant.utf8.count):\(tenant)\(requestID)" }
}

extension LeftAnswers.State {
    fileprivate mutating func keep(_ key: String, _ reply: RouterAPI.TakeUsageReply, _ capacity: Int) {
        if left.updateValue(reply, forKey: key) == nil { order.append(key) }
        while order.count > capacity, let oldest = order.popFirst() { left[oldest] = nil }
    }
}
