import BulkheadCore
import BulkheadWire
import NIOCore

/// Frames over a transport, for both ends of a connection: decodes what comes, gathers what goes.
///
/// What is sent within one turn of the event loop, or while one read is handled, leaves with one write. Messages longer than
/// a fragment go through `OutboundLanes`, which interleaves them.
///
/// `@unchecked Sendable`: touched on `eventLoop` only.
final class FramePipe: @unchecked Sendable {
    /// Messages up to this size are copied behind their header instead of being written as a buffer of their own.
    private static let copyBytes = 16 << 10
    /// An output buffer that grew beyond this is not kept.
    private static let keptBytes = 256 << 10
    /// With more than this unsent a server reads no further requests; it goes on at half of it.
    private static let holdBytes = 64 << 20
    /// A client that stays inside a frame for longer is cut off by the server.
    private static let partialLimit: Duration = .seconds(5)
    /// A server that stays inside a frame, and whoever takes no bytes, may be starved; it gets as long as a silent peer.
    private static let stall: Duration = .seconds(10)

    let eventLoop: any EventLoop
    /// Strong: the connection lives as long as its transport; the cycle ends in `transportClosed`.
    private var delegate: (any FramePipeDelegate)?
    private var transport: (any ByteTransport)?
    private var decoder = FrameDecoder()
    /// Gathers what leaves with the next write. Handed to the transport it stays here as `outIsPassed`, so that its memory is
    /// used again when the transport let go of it.
    private var out = ByteBuffer()
    private var outIsPassed = false
    private var lanes = OutboundLanes()
    /// Where received messages are kept.
    var ring = BufferRing()
    private var isReading = false
    /// The server's end stops reading while the client does not take the answers. A client's end never does: two ends that
    /// wait for each other would wait for ever.
    var holdsReading = false
    private var isHeld = false
    /// Handlers that do not begin before answers have left; as many at most as calls are allowed.
    private var drainWaits: [UnsafeContinuation<Bool, Never>] = []
    private var flushScheduled = false
    /// Frames that wait for the end of the turn; with this many they leave at once.
    private static let flushEvery = 4
    /// Messages of streams leave when there is this much of them: their receiver works on what it has.
    private static let flushBytes = 16 << 10
    private var framesUnflushed = 0
    private var closeReason: String?
    /// Why the connection ends as soon as the last fragment is on its way.
    private var closesWhenSent: String?
    private(set) var isClosed = false
    /// When bytes last came in.
    private(set) var lastReceived = MonotonicTime.now()
    private var partialSince: MonotonicTime?
    private var unwritableSince: MonotonicTime?
    /// Bytes given to the transport, and how many of them had left when the watch looked last.
    private var passedBytes = 0
    private var leftBytes = 0
    private var watchArmed = false

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// The transport is open; `delegate` hears of everything from now on.
    func attach(_ transport: any ByteTransport) {
        guard !isClosed else { return transport.close() }
        self.transport = transport
        lastReceived = .now()
        onAttach?()
    }

    var onAttach: (() -> Void)?

    func setDelegate(_ delegate: any FramePipeDelegate) { self.delegate = delegate }

    /// Senders of streams wait while this holds; control frames and unary calls do not.
    var isCongested: Bool { transport.map { !$0.isWritable } ?? true || lanes.bytes > 4 << 20 }

    /// Bytes that wait for the peer; asked before accepting a unary call.
    var backlogBytes: Int { lanes.bytes + (unwritableSince == nil ? 0 : transport?.bufferedBytes ?? 0) }
}

// MARK: receiving
extension FramePipe {
    func receive(_ bytes: ByteBuffer) {
        guard !isClosed else { return }
        isReading = true
        lastReceived = .now()
        decoder.append(bytes)
        decode()
    }

    private func decode() {
        do {
            while !isClosed, !isHeld, let frame = try decoder.next() {
                partialSince = nil
                try delegate?.received(frame, self)
            }
        } catch let violation {
            fail(violation)
        }
    }

    func readComplete() {
        // Tasks that this read has woken write their next messages before anything leaves.
        LoopJobs.runReady(on: eventLoop)
        isReading = false
        decoder.compact()
        if decoder.partialBytes == 0 || isHeld {
            partialSince = nil
        } else if partialSince == nil {
            partialSince = lastReceived
            armWatch()
        }
        flush()
    }

    private func holdIfBacklogged() {
        guard holdsReading, !isHeld, backlogBytes > Self.holdBytes else { return }
        isHeld = true
        transport?.setReading(false)
    }

    /// Returns when the peer has taken enough of what it was sent already for more to be worth making.
    func drained() async {
        while true {
            if eventLoop.inEventLoop, !isHeld { return }
            let isOver = await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                eventLoop.run { self.wait(continuation) }
            }
            if isOver { return }
        }
    }

    private func resumeIfDrained() {
        guard isHeld, backlogBytes <= Self.holdBytes / 2 else { return }
        isHeld = false
        endDrainWaits()
        transport?.setReading(true)
        eventLoop.execute {
            guard !self.isClosed else { return }
            self.isReading = true
            self.decode()
            self.readComplete()
        }
    }

    /// Answers true at once when nothing is held up, else false later, to be asked again.
    private func wait(_ continuation: UnsafeContinuation<Bool, Never>) {
        if isHeld, !isClosed { drainWaits.append(continuation) } else { continuation.resume(returning: true) }
    }

    private func endDrainWaits() {
        let waits = drainWaits
        drainWaits = []
        for wait in waits { wait.resume(returning: isClosed) }
    }

    func writabilityChanged() {
        if transport?.isWritable == true {
            unwritableSince = nil
            pumpLanes()
            scheduleFlush()
            if !isCongested { delegate?.writable(self) }
        } else if unwritableSince == nil {
            unwritableSince = .now()
            armWatch()
        }
    }

    func transportClosed(_ reason: String) {
        guard !isClosed else { return }
        isClosed = true
        endDrainWaits()
        transport = nil
        lanes = OutboundLanes()
        delegate?.closed(self, closeReason ?? reason)
        delegate = nil
        onAttach = nil
    }

    /// Once a second, only while something is incomplete.
    private func armWatch() {
        guard !watchArmed else { return }
        watchArmed = true
        eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in self?.watch() }
    }

    /// A peer that takes some of it is slow, not stuck: its time begins anew.
    private func hasProgress(_ now: MonotonicTime) -> Bool {
        let left = passedBytes - (transport?.bufferedBytes ?? 0)
        defer { leftBytes = left }
        guard left > leftBytes else { return false }
        unwritableSince = now
        return true
    }

    private func watch() {
        watchArmed = false
        guard !isClosed else { return }
        let now = MonotonicTime.now()
        let partialLimit = holdsReading ? Self.partialLimit : Self.stall
        if let partialSince, now - partialSince >= partialLimit {
            let seconds = partialLimit.components.seconds
            fail(ProtocolViolation(code: .timeout, description: "a frame stayed incomplete for \(seconds) s"))
        } else if let unwritableSince, !hasProgress(now), now - unwritableSince >= Self.stall {
            close("the peer took no bytes for 10 s")
        } else if partialSince != nil || unwritableSince != nil {
            armWatch()
        }
    }
}

// MARK: sending
extension FramePipe {
    /// Sends a frame without payload.
    func send(_ header: FrameHeader) {
        guard !isClosed else { return }
        if lanes.holds(header.stream) {
            lanes.append(header, ByteBuffer())
            return
        }
        writeHeader(header)
        scheduleFlush()
    }

    /// Sends a frame. A `message` payload of any length is cut into fragments; other payloads must fit one frame.
    func send(_ header: FrameHeader, _ payload: ByteBuffer) {
        guard !isClosed else { return }
        if payload.readableBytes > FrameLimits.fragmentBytes || lanes.holds(header.stream) {
            lanes.append(header, payload)
            pumpLanes()
        } else {
            var header = header
            header.length = UInt32(payload.readableBytes)
            writeHeader(header)
            append(payload)
        }
        if unwritableSince != nil || !lanes.isEmpty { holdIfBacklogged() }
        scheduleFlush(header.type)
    }

    /// Answers a PING. A peer that does not take what it gets already is sent none: it could ask for more than it takes.
    func pong(_ payload: ByteBuffer) {
        if !isCongested { send(FrameHeader(type: .pong), payload) }
    }

    /// Sends a frame with a message of the protocol itself.
    func send(_ header: FrameHeader, message: some WireMessage) {
        do {
            send(header, try message.encoded())
        } catch {
            close("cannot encode a \(header.type) frame: \(error)")
        }
    }

    /// Sends the frame that opens a call.
    func sendRequest(_ header: FrameHeader, _ head: CallHead, headBytes: Int, _ message: ByteBuffer?) {
        guard !isClosed else { return }
        var header = header
        header.length = UInt32(headBytes + (message?.readableBytes ?? 0))
        writeHeader(header)
        head.encode(into: &out, bytes: headBytes)
        if let message { append(message) }
        scheduleFlush()
    }

    /// Forgets what the stream still had to send.
    func dropUnsent(_ stream: UInt32) { lanes.drop(stream) }

    private func writeHeader(_ header: FrameHeader) {
        if outIsPassed {
            if out.capacity > Self.keptBytes { out = ByteBuffer() } else { out.clear() }
            outIsPassed = false
        }
        out.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameLimits.headerBytes) { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            header.encode(to: start)
            return FrameLimits.headerBytes
        }
    }

    private func append(_ payload: ByteBuffer) {
        if payload.readableBytes <= Self.copyBytes {
            out.writeImmutableBuffer(payload)
            if out.readableBytes > Self.keptBytes { passOut() }
            return
        }
        passOut()
        passedBytes += payload.readableBytes
        transport?.write(payload)
    }

    private func passOut() {
        guard !outIsPassed, out.readableBytes > 0 else { return }
        passedBytes += out.readableBytes
        transport?.writeNow(out)
        outIsPassed = true
    }

    /// Fragments as long as the transport takes them.
    private func pumpLanes() {
        while !lanes.isEmpty, transport?.isWritable == true, let (header, payload) = lanes.next() {
            writeHeader(header)
            passOut()
            passedBytes += payload.readableBytes
            if payload.readableBytes > 0 { transport?.write(payload) }
        }
        if lanes.isEmpty, let reason = closesWhenSent.take() { closeAfterFlush(reason) }
    }

    private func scheduleFlush(_ type: FrameType? = nil) {
        if type == .message {
            if out.readableBytes >= Self.flushBytes { return flush() }
        } else {
            framesUnflushed += 1
            // One write for all of a turn would move requests through the processes in lock-step, one process at work at a time.
            if framesUnflushed >= Self.flushEvery { return flush() }
        }
        guard !isReading, !flushScheduled else { return }
        flushScheduled = true
        eventLoop.execute { self.runScheduledFlush() }
    }

    private func runScheduledFlush() {
        flushScheduled = false
        flush()
    }

    private func flush() {
        guard !isClosed, let transport else { return }
        framesUnflushed = 0
        passOut()
        transport.flush()
        if !lanes.isEmpty, transport.isWritable { pumpAgain() }
        resumeIfDrained()
    }

    private func pumpAgain() {
        pumpLanes()
        scheduleFlush()
    }
}

// MARK: ending
extension FramePipe {
    /// Tells the peer what it did wrong and closes.
    func fail(_ violation: ProtocolViolation) {
        guard !isClosed else { return }
        delegate?.violated(violation)
        lanes = OutboundLanes()
        var text = ByteBuffer()
        text.writeString(String(decoding: violation.description.utf8.prefix(512), as: UTF8.self))
        // Not by `send`: what it flushes may let waiting streams write behind the last frame.
        writeHeader(FrameHeader(length: UInt32(text.readableBytes), type: .error, aux: violation.code.rawValue))
        append(text)
        closeAfterFlush(violation.description)
    }

    /// Closes when all that was sent has left, long messages included; whoever takes none of it has the time of a stall.
    func closeWhenSent(_ reason: String) {
        guard !isClosed, !lanes.isEmpty else { return closeAfterFlush(reason) }
        closesWhenSent = reason
    }

    /// Closes when what was passed to the transport has left. Nothing is sent after this.
    func closeAfterFlush(_ reason: String) {
        guard !isClosed else { return }
        closeReason = reason
        passOut()
        let transport = transport
        transportClosed(reason)
        transport?.closeAfterFlush()
    }

    /// Closes at once.
    func close(_ reason: String) {
        guard !isClosed else { return }
        let transport = transport
        transportClosed(reason)
        transport?.close()
    }
}
