import BulkheadCore
import DequeModule
import NIOCore
import Synchronization

/// The sending half of a stream: sends while the peer grants credit, else lets the writer wait.
///
/// A message may exceed the credit left, so that one longer than the window can be sent at all; the next one then waits for
/// the difference, too. At most as many messages wait as tasks write at once.
///
/// `@unchecked Sendable`: `nextWait` apart, touched on the pipe's event loop only.
final class OutboundMessages: @unchecked Sendable {
    private struct Wait {
        let id: UInt64
        let message: ByteBuffer
        let continuation: UnsafeContinuation<Void, any Error>
    }

    private let pipe: FramePipe
    private let stream: UInt32
    private let maxMessageBytes: Int
    private var credit = FrameLimits.window
    private var end: CallError?
    private var isFinished = false
    private var waits: Deque<Wait> = []
    /// Writers that were cancelled before they waited here, the last few: several may write at once.
    private var cancelledWaits: [UInt64] = []
    private let nextWait = Atomic<UInt64>(1)
    /// A peer that gives no credit to a waiting writer for this long takes nothing more: what feeds the stream (another
    /// process, a provider's connection) must not wait for it for ever.
    private static let patience: Duration = .seconds(30)
    private var lastGrant = MonotonicTime.now()
    private var isWatched = false

    init(pipe: FramePipe, stream: UInt32, maxMessageBytes: Int) {
        self.pipe = pipe
        self.stream = stream
        self.maxMessageBytes = maxMessageBytes
    }

    /// The opening frame carried a message.
    func charge(_ bytes: Int) { credit -= bytes + FrameLimits.messageOverhead }

    func grant(_ bytes: UInt32) throws(ProtocolViolation) {
        credit += Int(bytes)
        lastGrant = .now()
        guard credit <= FrameLimits.window else {
            throw ProtocolViolation(description: "stream \(stream) was granted more credit than it spent")
        }
        release()
    }

    /// Sends what may be sent now.
    func release() {
        while end == nil, credit > 0, !pipe.isCongested, let first = waits.popFirst() {
            transmit(first.message)
            first.continuation.resume()
        }
        if waits.isEmpty, isFinished { sendEnd() }
    }

    /// The call is over; nothing is sent any more.
    func close(_ error: CallError) {
        guard end == nil else { return }
        end = error
        while let wait = waits.popFirst() { wait.continuation.resume(throwing: error) }
    }

    func write(_ message: ByteBuffer) async throws {
        if pipe.eventLoop.inEventLoop, try writeNow(message) { return }
        let id = nextWait.add(1, ordering: .relaxed).oldValue
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                pipe.eventLoop.run { self.enqueue(Wait(id: id, message: message, continuation: continuation)) }
            }
        } onCancel: {
            pipe.eventLoop.execute { self.cancel(id) }
        }
    }

    /// Ends the half after what still waits. Only for the client; a server ends its half with the status.
    func finish() {
        guard !isFinished, end == nil else { return }
        isFinished = true
        if waits.isEmpty { sendEnd() }
    }

    /// Runs `body` on the loop.
    func onLoop(_ body: @escaping @Sendable (OutboundMessages) -> Void) { pipe.eventLoop.run { body(self) } }

    /// Sends the message if that is possible now. Nobody waits for it, so that a call that is over is no error.
    func offer(_ message: ByteBuffer) {
        guard end == nil, !isFinished, message.readableBytes <= maxMessageBytes, credit > 0, waits.isEmpty, !pipe.isCongested
        else { return }
        transmit(message)
    }

    /// - Returns: false when the writer has to wait.
    private func writeNow(_ message: ByteBuffer) throws(CallError) -> Bool {
        if let end { throw end }
        precondition(!isFinished, "bug: write after finish")
        guard message.readableBytes <= maxMessageBytes else { throw .tooLarge(message.readableBytes, maxMessageBytes) }
        guard credit > 0, waits.isEmpty, !pipe.isCongested else { return false }
        transmit(message)
        return true
    }

    private func enqueue(_ wait: Wait) {
        do {
            if try writeNow(wait.message) {
                wait.continuation.resume()
            } else if cancelledWaits.contains(wait.id) {
                wait.continuation.resume(throwing: CallError.cancelledByCaller)
            } else {
                waits.append(wait)
                if waits.count == 1 { lastGrant = .now() }
                watch(for: Self.patience)
            }
        } catch {
            wait.continuation.resume(throwing: error)
        }
    }

    private func watch(for wait: Duration) {
        guard !isWatched else { return }
        isWatched = true
        pipe.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) { [weak self] in self?.checkPatience() }
    }

    private func checkPatience() {
        isWatched = false
        guard end == nil, !waits.isEmpty else { return }
        let waited = MonotonicTime.now() - lastGrant
        if waited < Self.patience { return watch(for: Self.patience - waited) }
        close(
            CallError(
                .resourceExhausted, reason: "slow_consumer",
                message: "nobody took a message of this stream for \(Self.patience.components.seconds) s"))
    }

    private func cancel(_ id: UInt64) {
        guard let place = waits.firstIndex(where: { $0.id == id }) else {
            cancelledWaits = cancelledWaits.suffix(15) + [id]
            return
        }
        waits.remove(at: place).continuation.resume(throwing: CallError.cancelledByCaller)
    }

    private func transmit(_ message: ByteBuffer) {
        charge(message.readableBytes)
        pipe.send(FrameHeader(type: .message, flags: .hasMessage, stream: stream), message)
    }

    private func sendEnd() {
        end = CallError(.internal, message: "the stream's request half has ended")
        pipe.send(FrameHeader(type: .message, flags: .endStream, stream: stream))
    }
}

extension CallError {
    static func tooLarge(_ bytes: Int, _ limit: Int) -> CallError {
        CallError(
            .resourceExhausted, reason: "message_too_large",
            message: "a message of \(bytes) bytes is longer than the \(limit) the peer takes; send it in parts",
            notProcessed: true)
    }
}
