import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore
import Synchronization

// States of a recording: idle → (events) timed → (50 ms, or 16 KiB) queued → (a call has room) delivering → idle, timed or
// queued. From any of them: given up, when session takes no more or for too long none, or too much waits. Then the stream goes
// on to its client, and is not kept.

/// The events of one stream on their way to session, numbered; in batches, behind the client's back.
final class StreamRecorder: Sendable {
    private static let patience = TimeAmount.milliseconds(50)
    private static let batchBytes = 16 << 10
    /// What waits at most.
    private static let pendingLimit = 1 << 20
    private static let retryInterval = TimeAmount.milliseconds(250)
    /// How long session may take nothing.
    private static let longestOutage = Duration.seconds(20)

    private struct State {
        var seq = 0
        var pending: [SessionAPI.StreamPiece] = []
        var pendingBytes = 0
        var isTimed = false
        var isQueued = false
        var isDelivering = false
        var hasGivenUp = false
        var failingSince: MonotonicTime?
        var waiters: [EventLoopPromise<Void>] = []

        var isSettled: Bool { hasGivenUp || pending.isEmpty && !isDelivering }
    }

    private let archive: StreamArchive
    private let admissionID: String
    private let fence: Int
    private let streamID: String
    private let prefix: String
    private let state = Mutex(State())

    /// - Parameter caller: of an admission with a stream to keep.
    init(_ caller: Caller, _ archive: StreamArchive) {
        self.archive = archive
        admissionID = caller.admissionID
        fence = caller.fence
        streamID = caller.streamID
        prefix = "id: \(caller.streamID).\(caller.fence)."
    }

    /// Whether session has all events, or will not get them.
    var isSettled: Bool { state.withLock { $0.isSettled } }

    /// The end of the stream, as far as it is known: whole if `isSettled`.
    func end(isIncomplete: Bool) -> SessionAPI.StreamEnd {
        state.withLock { state in
            SessionAPI.StreamEnd(
                lastSeq: state.seq, incomplete: isIncomplete, truncated: state.hasGivenUp || !state.pending.isEmpty)
        }
    }

    /// Takes whole events, and gives them back as the client is sent them: each with an id.
    func stamp(_ events: ByteBuffer) -> ByteBuffer {
        guard events.readableBytes > 0 else { return events }
        var stamped = ReplyWriter.emptyPiece()
        let isFull = state.withLock { state -> Bool in
            for event in EventPieces(events) {
                state.seq += 1
                let start = stamped.writerIndex
                stamped.writeString("\(prefix)\(state.seq)\n")
                stamped.writeImmutableBuffer(event)
                let length = stamped.writerIndex - start
                guard !state.hasGivenUp else { continue }
                state.pending.append(
                    SessionAPI.StreamPiece(seq: state.seq, bytes: stamped.getSlice(at: start, length: length)))
                state.pendingBytes += length
            }
            if state.pendingBytes > Self.pendingLimit { giveUp(&state) }
            return state.pendingBytes >= Self.batchBytes
        }
        if isFull { queue() } else { time(Self.patience) }
        return stamped
    }

    /// Waits until `isSettled`, at most `limit`.
    func settled(within limit: Duration) async {
        let eventLoop = ProcessRuntime.eventLoop
        let promise = state.withLock { state -> EventLoopPromise<Void>? in
            guard !state.isSettled else { return nil }
            let promise = eventLoop.makePromise(of: Void.self)
            state.waiters.append(promise)
            return promise
        }
        guard let promise else { return }
        queue()
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) { promise.succeed() }
        // Never fails: it ends by the delivery or by the timer.
        try? await promise.futureResult.get()
        timer.cancel()
    }

    private func time(_ wait: TimeAmount) {
        let isNew = state.withLock { state in
            guard !state.isTimed, !state.isQueued, !state.isDelivering, !state.pending.isEmpty else { return false }
            state.isTimed = true
            return true
        }
        guard isNew else { return }
        _ = ProcessRuntime.eventLoop.scheduleTask(in: wait) {
            self.state.withLock { $0.isTimed = false }
            self.queue()
        }
    }

    private func queue() {
        let isNew = state.withLock { state in
            guard !state.isQueued, !state.isDelivering, !state.pending.isEmpty else { return false }
            state.isQueued = true
            return true
        }
        if isNew, !archive.lineUp(self) { abandon() }
    }

    /// Hands over what waits. One at a time: the archive calls it once for each `lineUp`.
    func deliver() async {
        let batch = state.withLock { state in
            state.isQueued = false
            state.isDelivering = true
            return state.pending
        }
        let outcome = await archive.append(
            SessionAPI.AppendStreamRequest(admissionID: admissionID, fence: fence, streamID: streamID, pieces: batch))
        let next = state.withLock { delivered(batch.count, outcome, &$0) }
        switch next {
        case .nothing: break
        case .more: queue()
        case .wait(let time): self.time(time)
        }
    }

    /// The archive takes no more.
    func abandon() { state.withLock { giveUp(&$0) } }

    private enum Next {
        case nothing, more
        case wait(TimeAmount)
    }

    private func delivered(_ count: Int, _ outcome: StreamArchive.Outcome, _ state: inout State) -> Next {
        state.isDelivering = false
        guard !state.hasGivenUp else { return .nothing }
        switch outcome {
        case .taken:
            state.failingSince = nil
            state.pendingBytes -= state.pending.prefix(count).reduce(0) { $0 + ($1.bytes?.readableBytes ?? 0) }
            state.pending.removeFirst(count)
            if state.isSettled { wake(&state) }
            if state.pending.isEmpty { return .nothing }
            return state.waiters.isEmpty && state.pendingBytes < Self.batchBytes ? .wait(Self.patience) : .more
        case .refused:
            giveUp(&state)
            return .nothing
        case .failed:
            let since = state.failingSince ?? .now()
            state.failingSince = since
            guard .now() - since < Self.longestOutage else {
                giveUp(&state)
                return .nothing
            }
            return .wait(Self.retryInterval)
        }
    }

    private func giveUp(_ state: inout State) {
        state.hasGivenUp = true
        state.pending = []
        state.pendingBytes = 0
        wake(&state)
    }

    private func wake(_ state: inout State) {
        for waiter in state.waiters { waiter.succeed() }
        state.waiters = []
    }
}

/// The events in a piece of a stream: each with the empty line that ends it.
struct EventPieces: Sequence, IteratorProtocol {
    private var rest: ByteBuffer

    /// - Parameter events: whole events, lines ended by a line feed alone.
    init(_ events: ByteBuffer) { rest = events }

    mutating func next() -> ByteBuffer? {
        guard rest.readableBytes > 0 else { return nil }
        var (length, isLineEnd) = (0, false)
        for byte in rest.readableBytesView {
            length += 1
            if byte == UInt8(ascii: "\n"), isLineEnd { break }
            isLineEnd = byte == UInt8(ascii: "\n")
        }
        return rest.readSlice(length: length)
    }
}
