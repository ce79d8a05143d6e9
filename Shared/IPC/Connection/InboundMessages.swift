import BulkheadCore
import DequeModule
import NIOCore
import Synchronization

/// The receiving half of a stream: messages that came and were not taken yet, bounded by the credit given.
///
/// `@unchecked Sendable`: `nextWait` apart, touched on the pipe's event loop only.
final class InboundMessages: @unchecked Sendable {
    /// Credit is given back in portions of this size, not message by message.
    private static let portion = FrameLimits.window / 8

    private struct Wait {
        let id: UInt64
        let continuation: UnsafeContinuation<ByteBuffer?, any Error>
    }

    private let eventLoop: any EventLoop
    private var pipe: FramePipe
    private var stream: UInt32
    private var queue: Deque<ByteBuffer> = []
    private var end: Result<Void, CallError>?
    private var wait: Wait?
    private var cancelledWait: UInt64 = 0
    private let nextWait = Atomic<UInt64>(1)
    /// What the sender may still send.
    private var window = FrameLimits.window
    private var owed = 0
    private var held: MemoryShare

    init(pipe: FramePipe, stream: UInt32, memory: MemoryBudget) {
        self.held = MemoryShare(memory)
        self.eventLoop = pipe.eventLoop
        self.pipe = pipe
        self.stream = stream
    }

    /// The call is tried again on another stream; nothing was received on the old one.
    func rebind(_ pipe: FramePipe, _ stream: UInt32) {
        self.pipe = pipe
        self.stream = stream
        window = FrameLimits.window
        owed = 0
    }

    var isEnded: Bool { end != nil }

    /// A fragment or message is about to be taken in: the sender must have credit.
    func admit() throws(ProtocolViolation) {
        guard window > 0 else { throw ProtocolViolation(description: "stream \(stream) sent more than its credit") }
    }

    func push(_ message: ByteBuffer) {
        guard end == nil else { return }
        let cost = message.readableBytes + FrameLimits.messageOverhead
        window -= cost
        if let waiting = wait {
            wait = nil
            giveBack(cost)
            waiting.continuation.resume(returning: message)
        } else {
            held.add(cost)
            queue.append(message)
        }
    }

    /// No message follows. The queued ones can still be taken, in order and before an error is told, unless nobody wants them
    /// any more.
    func finish(_ result: Result<Void, CallError>, isAbandoned: Bool = false) {
        guard end == nil else { return }
        end = result
        if isAbandoned {
            queue.removeAll()
            held.remove(held.bytes)
        }
        guard let waiting = wait else { return }
        wait = nil
        switch result {
        case .success: waiting.continuation.resume(returning: nil)
        case .failure(let error): waiting.continuation.resume(throwing: error)
        }
    }

    /// Takes the next message; waits off the loop's stack. One consumer at a time.
    func next() async throws -> ByteBuffer? {
        if eventLoop.inEventLoop, let ready = takeNow() { return try ready.get() }
        let id = nextWait.add(1, ordering: .relaxed).oldValue
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                eventLoop.run { self.take(Wait(id: id, continuation: continuation)) }
            }
        } onCancel: {
            eventLoop.execute { self.cancel(id) }
        }
    }

    /// Takes the next message if there is one and the caller is on the loop.
    func nextIfReady() -> ByteBuffer? {
        guard eventLoop.inEventLoop, !queue.isEmpty, case .success(let message)? = takeNow() else { return nil }
        return message
    }

    /// Runs `body` on the loop.
    func onLoop(_ body: @escaping @Sendable (InboundMessages) -> Void) { eventLoop.run { body(self) } }

    private func takeNow() -> Result<ByteBuffer?, CallError>? {
        if let message = queue.popFirst() {
            let cost = message.readableBytes + FrameLimits.messageOverhead
            held.remove(cost)
            giveBack(cost)
            return .success(message)
        }
        return end.map { $0.map { nil } }
    }

    private func take(_ wait: Wait) {
        if let ready = takeNow() {
            wait.continuation.resume(with: ready.mapError { $0 })
        } else if cancelledWait == wait.id {
            wait.continuation.resume(throwing: CallError.cancelledByCaller)
        } else {
            precondition(self.wait == nil, "bug: two consumers of one stream")
            self.wait = wait
        }
    }

    private func cancel(_ id: UInt64) {
        cancelledWait = id
        guard let waiting = wait, waiting.id == id else { return }
        wait = nil
        waiting.continuation.resume(throwing: CallError.cancelledByCaller)
    }

    private func giveBack(_ cost: Int) {
        owed += cost
        guard owed >= Self.portion, end == nil else { return }
        window += owed
        pipe.send(FrameHeader(type: .credit, stream: stream, aux: UInt32(clamping: owed)))
        owed = 0
    }
}

/// Puts the fragments of a message together again.
struct MessageAssembler {
    private var partial: ByteBuffer?
    /// Of the whole message, as its first fragment announced it.
    private var announced = 0

    var isPartial: Bool { partial != nil }
    var bytes: Int { partial?.readableBytes ?? 0 }

    /// A fragment that does not continue what is there, because one was lost or came twice, would make another message.
    func check(_ header: FrameHeader, _ payload: ByteBuffer) throws(ProtocolViolation) {
        guard isPartial else { return }
        // In a fragment `aux` is what is left of the message, this fragment included.
        let left = header.flags.contains(.more) ? Int(header.aux) : payload.readableBytes
        guard bytes + left == announced else {
            throw ProtocolViolation(
                description: "a fragment of stream \(header.stream) does not continue its message: "
                    + "\(bytes) of \(announced) bytes are there, \(left) more were announced")
        }
    }

    /// The message, when `payload` was its last fragment; `check` has passed.
    /// - Throws: RESOURCE_EXHAUSTED when the message is longer than `limit`.
    mutating func add(
        _ header: FrameHeader, _ payload: ByteBuffer, limit: Int, _ ring: inout BufferRing
    ) throws(CallError) -> ByteBuffer? {
        let more = header.flags.contains(.more)
        let total = bytes + max(payload.readableBytes, more ? Int(header.aux) : 0)
        guard total <= limit else {
            partial = nil
            throw CallError(
                .resourceExhausted, reason: "message_too_large",
                message: "a message of at least \(total) bytes is longer than the \(limit) allowed; send it in parts")
        }
        if partial == nil {
            guard more else { return ring.own(payload) }
            announced = total
            // The announced length is not trusted with more than a mebibyte before its bytes come.
            partial = ByteBufferAllocator().buffer(capacity: min(total, 1 << 20))
        }
        partial?.writeImmutableBuffer(payload)
        if more { return nil }
        return partial.take()
    }
}

extension CallError {
    static let cancelledByCaller = CallError(.cancelled, message: "the caller cancelled the call")
}

extension EventLoop {
    /// On the loop at once, else in its next turn.
    func run(_ body: @escaping @Sendable () -> Void) {
        if inEventLoop { body() } else { execute(body) }
    }
}
