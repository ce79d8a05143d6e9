import BulkheadCore
import NIOCore
import Synchronization

/// Who takes turns with others for places.
package enum RequestFlow: Hashable, Sendable {
    case tenant(String)
    /// A key whose tenant is not known yet.
    case key(KeyDigest)
    /// All requests without a key.
    case nobody
}

/// Lets so many requests run at once; more wait in a bounded line, fair to tenants, until their time is over; more than that are
/// refused, the least important first. Who that is `FairLine` decides; here are the tasks.
package final class RequestGate: Sendable {
    private struct Waiter {
        let continuation: CheckedContinuation<Void, any Error>
        var timer: Scheduled<Void>
        /// It waits for a place no longer.
        let until: MonotonicTime
    }

    private struct State {
        var line: FairLine<RequestFlow>
        var rate = ServiceRate()
        var waiters: [UInt64: Waiter] = [:]
        var lastTicket: UInt64 = 0
        /// Cancelled before they joined the line.
        var gone: Set<UInt64> = []
    }

    private let limit: Int
    private let maxWait: Duration
    private let eventLoop: any EventLoop
    private let state: Mutex<State>

    /// - Parameters:
    ///   - limit: requests that run at once.
    ///   - depth: requests that wait at once.
    package init(limit: Int, depth: Int, maxWait: Duration, eventLoop: any EventLoop) {
        self.limit = limit
        self.maxWait = maxWait
        self.eventLoop = eventLoop
        state = Mutex(State(line: FairLine(slots: limit, depth: depth)))
    }

    /// Requests that run.
    package var running: Int { state.withLock { $0.line.running } }
    /// Requests that wait, for a place or for something else.
    package var waiting: Int { state.withLock { $0.line.waiting } }

    /// Takes a place, waiting for one if needed; `leave` with the same class gives it back.
    /// - Parameter who: whose turn it uses, and when nobody waits for the answer any more; asked only when there is no place.
    /// - Throws: `EdgeError` 503 when the line has no room, the wait is too long, or a more important request took the place in
    ///   line; `CancellationError`.
    package func enter(_ kind: RequestClass, _ who: () -> (flow: RequestFlow, deadline: MonotonicTime)) async throws {
        if state.withLock({ $0.line.enter(kind) }) { return }
        let (flow, deadline) = who()
        let now = MonotonicTime.now()
        guard deadline > now, maxWait > .zero else { throw refusal(.late) }
        try await wait(kind, flow, until: min(now + maxWait, deadline))
    }

    /// Gives the place to whose turn it is, or frees it.
    package func leave(_ kind: RequestClass) {
        let next = state.withLock { state -> Waiter? in
            let ticket = state.line.leave(kind)
            state.rate.freed(isWanted: ticket != nil, now: .now())
            return ticket.flatMap { state.waiters.removeValue(forKey: $0) }
        }
        next?.timer.cancel()
        next?.continuation.resume()
    }

    private func wait(_ kind: RequestClass, _ flow: RequestFlow, until: MonotonicTime) async throws {
        let ticket = nextTicket()
        defer { state.withLock { _ = $0.gone.remove(ticket) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { join(ticket, kind, flow, until, $0) }
        } onCancel: {
            end(ticket, CancellationError(), orRemember: true)
        }
    }

    private func join(
        _ ticket: UInt64, _ kind: RequestClass, _ flow: RequestFlow, _ until: MonotonicTime,
        _ continuation: CheckedContinuation<Void, any Error>
    ) {
        let timer = eventLoop.scheduleTask(in: TimeAmount(until - .now())) { [self] in end(ticket, refusal(.late)) }
        let (arrival, displaced) = state.withLock { state -> (FairLine<RequestFlow>.Arrival?, Waiter?) in
            guard state.gone.remove(ticket) == nil else { return (nil, nil) }
            let arrival = state.line.arrive(ticket, flow, kind)
            guard case .waits(let victim) = arrival else { return (arrival, nil) }
            state.rate.waits(now: .now())
            state.waiters[ticket] = Waiter(continuation: continuation, timer: timer, until: until)
            return (arrival, victim.flatMap { state.waiters.removeValue(forKey: $0) })
        }
        displaced?.timer.cancel()
        displaced?.continuation.resume(throwing: refusal(.displaced))
        switch arrival {
        case .waits: return
        case .runs: continuation.resume()
        case .refused: continuation.resume(throwing: refusal(.full))
        case nil: continuation.resume(throwing: CancellationError())
        }
        timer.cancel()
    }

    /// Takes a waiter out of the line with an error.
    /// - Parameter orRemember: it may not have joined the line yet; it is then refused when it does.
    private func end(_ ticket: UInt64, _ error: any Error, orRemember: Bool = false) {
        let waiter = state.withLock { state -> Waiter? in
            guard let waiter = state.waiters.removeValue(forKey: ticket) else {
                if orRemember { state.gone.insert(ticket) }
                return nil
            }
            state.line.take(ticket)
            return waiter
        }
        waiter?.timer.cancel()
        waiter?.continuation.resume(throwing: error)
    }

    private enum Reason: String {
        case full = "as many wait as may, of all or of this caller's"
        case late = "none came free in time"
        case displaced = "a more important one took the place in line"
    }

    private func refusal(_ reason: Reason) -> EdgeError {
        let wait = state.withLock { $0.rate.wait(for: $0.line.waiting - $0.line.aside + 1, now: .now()) }
        // Those who are refused together are not to come back together; nobody earlier than is any use.
        let spread = wait * (1 + Double(QuickRandom.next() >> 11) * 0x1p-53 / 5)
        return EdgeError(
            .overloaded, message: "The server runs \(limit) requests, its limit, and \(reason.rawValue). Try again shortly.",
            retryAfter: min(spread, ServiceRate.bounds.upperBound))
    }
}

// Requests that give their place up to wait for something else.
extension RequestGate {
    /// Names a request in the line; each is higher than all before it.
    package func nextTicket() -> UInt64 {
        state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
    }

    /// Gives the place of a running request up until `moment`, or until `rouse` says another one, for one in the line; then takes a
    /// place again, waiting for one until `deadline` if needed.
    /// - Parameter left: is called when the place is given up; it is held again when this returns, and not when it throws.
    /// - Throws: `EdgeError` as `enter` does: when the line has no room, the place is still held; `CancellationError`.
    package func stepAside(
        _ ticket: UInt64, _ kind: RequestClass, _ flow: RequestFlow, until moment: MonotonicTime, deadline: MonotonicTime,
        left: () -> Void
    ) async throws {
        defer { state.withLock { _ = $0.gone.remove(ticket) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                if stepAside(ticket, kind, flow, moment, deadline, continuation) { left() }
            }
        } onCancel: {
            end(ticket, CancellationError(), orRemember: true)
        }
    }

    /// Moves the moment until which a request is aside. Nothing happens to one that is not.
    package func rouse(_ ticket: UInt64, at moment: MonotonicTime) {
        let timer = comesBack(ticket, at: moment)
        let old = state.withLock { state -> Scheduled<Void> in
            guard state.line.isAside(ticket), let old = state.waiters[ticket]?.timer else { return timer }
            state.waiters[ticket]?.timer = timer
            return old
        }
        old.cancel()
    }

    private func comesBack(_ ticket: UInt64, at moment: MonotonicTime) -> Scheduled<Void> {
        eventLoop.scheduleTask(in: TimeAmount(max(moment - .now(), .zero))) { [self] in comeBack(ticket) }
    }

    /// - Returns: whether the place was given up.
    private func stepAside(
        _ ticket: UInt64, _ kind: RequestClass, _ flow: RequestFlow, _ moment: MonotonicTime, _ deadline: MonotonicTime,
        _ continuation: CheckedContinuation<Void, any Error>
    ) -> Bool {
        let timer = comesBack(ticket, at: moment)
        let (arrival, others) = state.withLock { state -> (FairLine<RequestFlow>.Arrival?, (out: Waiter?, next: Waiter?)) in
            guard state.gone.remove(ticket) == nil else { return (nil, (nil, nil)) }
            let arrival = state.line.stepAside(ticket, flow, kind)
            guard case .waits(let victim) = arrival else { return (arrival, (nil, nil)) }
            state.waiters[ticket] = Waiter(continuation: continuation, timer: timer, until: deadline)
            let out = victim.flatMap { state.waiters.removeValue(forKey: $0) }
            let next = state.line.leave(kind)
            state.rate.freed(isWanted: next != nil, now: .now())
            return (arrival, (out, next.flatMap { state.waiters.removeValue(forKey: $0) }))
        }
        others.out?.timer.cancel()
        others.out?.continuation.resume(throwing: refusal(.displaced))
        others.next?.timer.cancel()
        others.next?.continuation.resume()
        if case .waits = arrival { return true }
        timer.cancel()
        continuation.resume(throwing: arrival == nil ? CancellationError() : refusal(.full))
        return false
    }

    private func comeBack(_ ticket: UInt64) {
        guard let until = state.withLock({ $0.waiters[ticket]?.until }) else { return }
        let timer = eventLoop.scheduleTask(in: TimeAmount(max(until - .now(), .zero))) { [self] in end(ticket, refusal(.late)) }
        let (runs, isTimed) = state.withLock { state -> (Waiter?, Bool) in
            guard state.line.isAside(ticket) else { return (nil, false) }
            if state.line.comeBack(ticket) { return (state.waiters.removeValue(forKey: ticket), false) }
            state.rate.waits(now: .now())
            state.waiters[ticket]?.timer = timer
            return (nil, true)
        }
        if !isTimed { timer.cancel() }
        runs?.continuation.resume()
    }
}
