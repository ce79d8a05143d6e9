import BulkheadCore
import NIOCore

/// One connection of a link.
///
/// States: greeting (HELLO sent, 1 s for the answer) → open → draining (no new calls, those in flight end) → closed.
///
/// `@unchecked Sendable`: touched on the link's event loop only.
final class ClientConnection: FramePipeDelegate, @unchecked Sendable {
    enum State {
        case greeting
        case open
        case draining
        case closed
    }

    static let greetingTime: Duration = .seconds(1)
    private static let lastStream: UInt32 = 1 << 31

    let pipe: FramePipe
    private let link: LinkCore
    private(set) var state = State.greeting
    private(set) var hello = Hello()
    /// One end found that they do not speak the same protocol, or are not the services they look for.
    private(set) var isIncompatible = false
    private(set) var methods = MethodTable()
    private(set) var streams: [UInt32: ClientCall] = [:]
    private var nextStream: UInt32
    private var wheel = DeadlineWheel(now: .now())
    private var wheelTimer: MonotonicTime?
    private var liveness = Liveness()
    /// The peer did not speak when it should have, so that its end says nothing new.
    private(set) var isSilent = false
    private var assembling: MemoryShare

    init(link: LinkCore, pipe: FramePipe) {
        self.link = link
        self.pipe = pipe
        nextStream = link.configuration.firstStream
        assembling = MemoryShare(link.configuration.memory)
        pipe.setDelegate(self)
        pipe.onAttach = { [weak self] in self?.greet() }
    }

    private func greet() {
        let configuration = link.configuration
        var hello = Hello(
            service: configuration.caller, instance: ProcessInstance.id, maxMessageBytes: FrameLimits.messageBytes,
            schemas: configuration.schemas)
        hello.peer = configuration.peer
        pipe.send(FrameHeader(type: .hello), message: hello)
        pipe.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(Self.greetingTime)) { [weak self] in
            guard let self, state == .greeting else { return }
            isSilent = true
            pipe.close("the peer did not answer the handshake within 1 s")
        }
    }

    func closed(_ pipe: FramePipe, _ reason: String) {
        let wasOpen = state
        state = .closed
        let calls = streams.values.sorted { $0.stream < $1.stream }
        streams.removeAll()
        link.lost(self, wasOpen, calls, reason)
    }

    func violated(_ violation: ProtocolViolation) {
        if violation.code == .incompatible { isIncompatible = true }
    }

    func writable(_ pipe: FramePipe) {
        for call in streams.values { call.outbound?.release() }
    }

    func received(_ frame: FrameDecoder.Frame, _ pipe: FramePipe) throws(ProtocolViolation) {
        if isSilent, state != .greeting { heardAgain() }
        switch (frame.header.type, state) {
        case (.helloAck, .greeting): try greeted(frame.payload)
        case (.error, _):
            isIncompatible = frame.header.aux == ConnectionErrorCode.incompatible.rawValue
            pipe.close("the peer refused the connection: \(String(buffer: frame.payload))")
        case (_, .greeting): throw ProtocolViolation(description: "\(frame.header.type) before the handshake")
        case (.status, _): try receivedStatus(frame)
        case (.message, _): try receivedMessage(frame)
        case (.credit, _): try call(frame.header)?.outbound?.grant(frame.header.aux)
        case (.ping, _): pipe.pong(frame.payload)
        case (.pong, _): break
        case (.health, _): link.healthChanged(self, try IPCMessages.Health.received(frame.payload))
        case (.drain, _): drain()
        default: throw ProtocolViolation(description: "\(frame.header.type) from a server")
        }
    }

    private func heardAgain() {
        _ = liveness.heard()
        isSilent = false
        link.heard(self)
    }

    private func greeted(_ payload: ByteBuffer) throws(ProtocolViolation) {
        hello = try Hello.received(payload)
        guard hello.service == link.configuration.peer else {
            throw ProtocolViolation(
                code: .incompatible,
                description: "expected service \(link.configuration.peer) at this socket, found \(hello.service)")
        }
        methods = MethodTable(hello, link.configuration.schemas)
        // Needed no more, and long.
        (hello.methods, hello.forms) = ([], [])
        state = .open
        armLiveness(in: Liveness.silence)
        link.ready(self)
    }

    private func drain() {
        guard state == .open else { return }
        pipe.send(FrameHeader(type: .drainAck))
        retire()
    }

    /// Opens no more streams and closes with the last one.
    private func retire() {
        state = .draining
        link.draining(self)
        closeIfDone()
    }

    private func closeIfDone() {
        if state == .draining, streams.isEmpty { pipe.closeWhenSent("drained") }
    }
}

// MARK: calls
extension ClientConnection {
    /// Puts an admitted call on the wire.
    func open(_ call: ClientCall, method: UInt16, headBytes: Int, now: MonotonicTime) {
        let stream = nextStream
        nextStream += 2
        call.stream = stream
        call.connection = self
        streams[stream] = call
        prepareHalves(call, stream)
        let head = CallHead(
            deadline: call.options.deadline, sent: now, metadata: call.options.metadata, attempt: call.wasRetried ? 1 : 0,
            isIdempotent: call.options.isIdempotent)
        var header = FrameHeader(type: .request, method: method, stream: stream)
        let fits = call.request.map { $0.readableBytes <= FrameLimits.fragmentBytes } ?? false
        if fits { header.flags = [.hasMessage, .endStream] }
        pipe.sendRequest(header, head, headBytes: headBytes, fits ? call.request : nil)
        if !fits, let request = call.request {
            pipe.send(FrameHeader(type: .message, flags: [.hasMessage, .endStream], stream: stream), request)
        }
        wheel.add(stream, firstCheck(call, now), now: now)
        armWheel()
        if nextStream >= Self.lastStream { retire() }
    }

    /// When the call is looked at first: at its slow threshold, or its deadline.
    private func firstCheck(_ call: ClientCall, _ now: MonotonicTime) -> MonotonicTime {
        guard let slow = link.configuration.slow[call.method.methodClass] else { return call.options.deadline }
        return min(now + slow, call.options.deadline)
    }

    private func prepareHalves(_ call: ClientCall, _ stream: UInt32) {
        guard !call.isUnary else { return }
        if let inbound = call.inbound {
            inbound.rebind(pipe, stream)
        } else {
            call.inbound = InboundMessages(pipe: pipe, stream: stream, memory: link.configuration.memory)
        }
        if !call.endsRequest {
            call.outbound = OutboundMessages(pipe: pipe, stream: stream, maxMessageBytes: Int(hello.maxMessage))
        }
        call.opening.take()?.resume()
    }

    /// Nobody waits for the call any more.
    func abandon(_ call: ClientCall) {
        guard streams.removeValue(forKey: call.stream) != nil else { return }
        releaseReceived(call)
        pipe.dropUnsent(call.stream)
        pipe.send(FrameHeader(type: .cancel, stream: call.stream))
        closeIfDone()
    }

    /// The call of a frame; nil when it is over already. A stream that was never opened is a violation.
    private func call(_ header: FrameHeader) throws(ProtocolViolation) -> ClientCall? {
        if let call = streams[header.stream] { return call }
        guard header.stream < nextStream, header.stream & 1 == 1 else {
            throw ProtocolViolation(description: "\(header.type) on stream \(header.stream), which was never opened")
        }
        return nil
    }

    private func receivedStatus(_ frame: FrameDecoder.Frame) throws(ProtocolViolation) {
        guard let call = try call(frame.header) else { return }
        let result: Result<ByteBuffer?, CallError>
        if frame.header.aux == StatusCode.ok.rawValue {
            let message = frame.header.flags.contains(.hasMessage) ? pipe.ring.own(frame.payload) : call.replyMessage
            guard !call.isUnary || message != nil else {
                throw ProtocolViolation(description: "unary call \(call.method.name) ended well without a message")
            }
            result = .success(message)
        } else {
            result = .failure(try IPCMessages.Failure.received(frame.header, frame.payload))
        }
        streams.removeValue(forKey: frame.header.stream)
        releaseReceived(call)
        pipe.dropUnsent(frame.header.stream)
        link.ended(call, result, fromPeer: true)
        closeIfDone()
    }

    private func receivedMessage(_ frame: FrameDecoder.Frame) throws(ProtocolViolation) {
        guard let call = try call(frame.header) else { return }
        if !call.assembler.isPartial { try call.inbound?.admit() }
        try call.assembler.check(frame.header, frame.payload)
        guard call.replyMessage == nil else {
            throw ProtocolViolation(description: "second message in the answer of unary call \(call.method.name)")
        }
        call.hasResponse = true
        let before = call.assembler.bytes
        do {
            let limit = min(FrameLimits.messageBytes, before + FrameLimits.assemblyBytes - assembling.bytes)
            let message = try call.assembler.add(frame.header, frame.payload, limit: limit, &pipe.ring)
            assembling.add(call.assembler.bytes - before)
            guard let message else { return }
            link.responded(call)
            if call.isUnary { keep(message, call) } else { call.inbound?.push(message) }
        } catch {
            // The assembler has dropped what it had.
            assembling.remove(before)
            abandon(call)
            link.ended(call, .failure(error), fromPeer: false)
        }
    }
}

// MARK: memory
extension ClientConnection {
    /// Holds the reply until its status comes; counted like a message that is not whole.
    private func keep(_ message: ByteBuffer, _ call: ClientCall) {
        call.replyMessage = message
        assembling.add(message.readableBytes)
    }

    private func releaseReceived(_ call: ClientCall) {
        assembling.remove(call.assembler.bytes + (call.replyMessage?.readableBytes ?? 0))
    }
}

// MARK: time
extension ClientConnection {
    private func armWheel() {
        guard let next = wheel.nextCheck, state != .closed else { return }
        if let wheelTimer, wheelTimer <= next { return }
        wheelTimer = next
        pipe.eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(next.nanoseconds)) { [weak self] in
            self?.turnWheel(next)
        }
    }

    private func turnWheel(_ timer: MonotonicTime) {
        // A timer that was overtaken by an earlier one has nothing to do.
        guard wheelTimer == timer else { return }
        wheelTimer = nil
        let now = MonotonicTime.now()
        for stream in wheel.expired(now: now, isAlive: { streams[$0] != nil }) {
            guard let call = streams[stream] else { continue }
            guard call.options.deadline <= now else {
                link.slow(call)
                wheel.add(stream, call.options.deadline, now: now)
                continue
            }
            abandon(call)
            link.ended(call, .failure(.deadlinePassed(call.method.name)), fromPeer: false)
        }
        armWheel()
    }

    private func armLiveness(in wait: Duration) {
        let due = MonotonicTime.now() + wait
        pipe.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(wait)) { [weak self] in self?.checkLiveness(due) }
    }

    private func checkLiveness(_ due: MonotonicTime) {
        guard state == .open || state == .draining else { return }
        let now = MonotonicTime.now()
        let (action, next) = liveness.check(due: due, lastReceived: pipe.lastReceived, now: now)
        switch action {
        case .nothing: break
        case .ping: pipe.send(FrameHeader(type: .ping), ByteBuffer(integer: now.nanoseconds, endianness: .little))
        case .suspect:
            isSilent = true
            link.suspected(self)
        case .lost: return pipe.close("the peer sent nothing for 10 s; it is frozen or overloaded")
        }
        armLiveness(in: next)
    }
}

extension CallError {
    static func deadlinePassed(_ method: String) -> CallError {
        CallError(.deadlineExceeded, message: "\(method) was not answered before its deadline")
    }
}
