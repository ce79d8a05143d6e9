import BulkheadCore
import NIOCore

/// One client's connection to a server.
///
/// States: awaiting the HELLO (1 s) → open → draining (DRAIN sent) → confirmed (DRAIN_ACK came: no request may follow) →
/// closed.
///
/// `@unchecked Sendable`: touched on the server's event loop only.
final class ServerConnection: FramePipeDelegate, @unchecked Sendable {
    private enum State {
        case awaitingHello
        case open
        case draining
        case confirmed
        case closed
    }

    private let core: ServerCore
    private let pipe: FramePipe
    private let uid: UInt32?
    private let pid: Int32?
    private var state = State.awaitingHello
    private var peer = ""
    private var peerMaxMessageBytes = FrameLimits.messageBytes
    private var streams: [UInt32: ServerStream] = [:]
    private var lastStream: UInt32 = 0
    private var wheel = DeadlineWheel(now: .now())
    private var wheelTimer: MonotonicTime?
    private var assembling: MemoryShare
    /// Bytes of the requests that unary handlers work on.
    private var working: MemoryShare
    private var inFlight = ClassLimits(each: 0)
    /// Made with the first unary call that needs a task.
    private var workers: HandlerWorkers?
    private static let maxWorking = 256 << 20

    init(core: ServerCore, pipe: FramePipe, uid: UInt32?, pid: Int32? = nil) {
        self.core = core
        self.pipe = pipe
        self.uid = uid
        self.pid = pid
        assembling = MemoryShare(core.configuration.memory)
        working = MemoryShare(core.configuration.memory)
        pipe.setDelegate(self)
        pipe.holdsReading = true
        pipe.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { [weak self] in
            guard let self, state == .awaitingHello else { return }
            pipe.fail(ProtocolViolation(code: .timeout, description: "no handshake within 1 s"))
        }
    }

    func closed(_ pipe: FramePipe, _ reason: String) {
        state = .closed
        let error = CallError(.cancelled, reason: "caller_gone", message: "the caller's connection was lost")
        for stream in streams.values { cancel(stream, error, silently: true) }
        // Its workers hold the connection; those at work end with their calls.
        workers?.close()
        workers = nil
        forgetIfDone()
    }

    func violated(_ violation: ProtocolViolation) { core.reject(violation.description) }

    func writable(_ pipe: FramePipe) {
        for stream in streams.values { stream.outbound?.release() }
    }

    func received(_ frame: FrameDecoder.Frame, _ pipe: FramePipe) throws(ProtocolViolation) {
        switch (frame.header.type, state) {
        case (.hello, .awaitingHello): try greet(Hello.received(frame.payload))
        case (_, .awaitingHello): throw ProtocolViolation(description: "\(frame.header.type) before the handshake")
        case (.request, .confirmed): throw ProtocolViolation(description: "request after DRAIN_ACK")
        case (.request, _): try receivedRequest(frame)
        case (.message, _): try receivedMessage(frame)
        case (.cancel, _): try cancelled(frame.header)
        case (.credit, _): try known(frame.header)?.outbound?.grant(frame.header.aux)
        case (.ping, _): pipe.pong(frame.payload)
        case (.pong, _): break
        case (.drainAck, .draining):
            state = .confirmed
            closeIfDrained()
        case (.error, _): pipe.close("the client ended the connection: \(String(buffer: frame.payload))")
        default: throw ProtocolViolation(description: "\(frame.header.type) from a client")
        }
    }

    private func greet(_ hello: Hello) throws(ProtocolViolation) {
        guard hello.peer.isEmpty || hello.peer == core.configuration.service else {
            throw ProtocolViolation(
                code: .incompatible,
                description: "this is \(core.configuration.service), not \(hello.peer); check the socket path")
        }
        guard core.mayCall(hello.service, uid: uid) else {
            let who = uid.map { " under uid \($0)" } ?? ""
            throw ProtocolViolation(
                code: .refused, description: "\(hello.service) may not call \(core.configuration.service)\(who)")
        }
        peer = hello.service
        if hello.maxMessage > 0 { peerMaxMessageBytes = Int(hello.maxMessage) }
        state = .open
        pipe.send(FrameHeader(type: .helloAck), message: core.hello(to: hello))
        pushHealth(core.health)
    }

    func pushHealth(_ health: PeerHealth) {
        guard state != .awaitingHello, state != .closed else { return }
        pipe.send(FrameHeader(type: .health), message: IPCMessages.Health(health))
    }
}

// MARK: requests
extension ServerConnection {
    private func receivedRequest(_ frame: FrameDecoder.Frame) throws(ProtocolViolation) {
        let id = frame.header.stream
        guard id & 1 == 1, id > lastStream else {
            throw ProtocolViolation(description: "request on stream \(id) after stream \(lastStream)")
        }
        lastStream = id
        var payload = frame.payload
        let head = try CallHead(reading: &payload)
        let index = Int(frame.header.method)
        guard index < core.entries.count else { return refuse(id, .noSuchMethod(index)) }
        let entry = core.entries[index]
        let now = MonotonicTime.now()
        guard now < head.deadline else { return refuse(id, .expired(entry.descriptor.name)) }
        let (methodClass, limits) = (entry.descriptor.methodClass, core.configuration.limits)
        guard inFlight[methodClass] < limits[methodClass] else {
            return refuse(id, .overloaded(core.configuration, methodClass))
        }
        guard core.configuration.memory.hasRoom else { return refuse(id, .memoryBudget(core.configuration.memory)) }
        entry.calls.add(1, ordering: .relaxed)
        let call = ServerCall(
            deadline: head.deadline, metadata: head.metadata, peer: peer, peerUID: uid, peerPID: pid,
            eventLoop: pipe.eventLoop)
        let message = frame.header.flags.contains(.hasMessage) ? payload : nil
        guard message.map({ $0.readableBytes <= core.configuration.maxMessageBytes }) ?? true else {
            return refuse(id, .tooLarge(payload.readableBytes, core.configuration.maxMessageBytes))
        }
        if let message, let result = entry.handler.answerNow(message, call) {
            return answer(id, result.map { $0 }.mapError { named($0) })
        }
        admit(id, entry, call, message, frame.header, now)
    }

    private func admit(
        _ id: UInt32, _ entry: ServerCore.Entry, _ call: ServerCall, _ message: ByteBuffer?, _ header: FrameHeader,
        _ now: MonotonicTime
    ) {
        let isStream = entry.descriptor.shape != .unary
        let stream = ServerStream(
            id, entry, call, isStream ? InboundMessages(pipe: pipe, stream: id, memory: core.configuration.memory) : nil,
            isStream ? OutboundMessages(pipe: pipe, stream: id, maxMessageBytes: peerMaxMessageBytes) : nil)
        streams[id] = stream
        inFlight[entry.descriptor.methodClass] += 1
        core.inFlight.add(1, ordering: .relaxed)
        wheel.add(id, call.deadline, now: now)
        armWheel()
        if let inbound = stream.inbound {
            if let message { inbound.push(pipe.ring.own(message)) }
            if header.flags.contains(.endStream) { inbound.finish(.success(())) }
            run(stream, nil)
        } else if let message {
            serve(stream, pipe.ring.own(message))
        }
    }

    /// Starts a unary handler, if the requests that are worked on leave room for its own.
    private func serve(_ stream: ServerStream, _ message: ByteBuffer) {
        guard working.bytes < Self.maxWorking else {
            return cancel(stream, named(.overloaded(core.configuration, Self.maxWorking)), silently: false)
        }
        run(stream, message)
    }

    private func run(_ stream: ServerStream, _ message: ByteBuffer?) {
        stream.isRunning = true
        stream.requestBytes = message?.readableBytes ?? 0
        working.add(stream.requestBytes)
        if case .stream(let handler) = stream.entry.handler { return runStream(stream, handler) }
        if workers == nil {
            workers = HandlerWorkers(pipe.eventLoop) { work in await self.execute(work) }
        }
        stream.worker = workers?.start(HandlerWork(stream: stream, message: message ?? ByteBuffer()))
    }

    private nonisolated func execute(_ work: HandlerWork) async {
        let stream = work.stream
        let result: Result<ByteBuffer?, CallError>
        await pipe.drained()
        do {
            // It may have been cancelled, or come too late, before its turn came.
            if let cancellation = stream.cancellation { throw cancellation }
            guard MonotonicTime.now() < stream.call.deadline else { throw Refusal(named(.expired(stream.entry.descriptor.name))) }
            switch stream.entry.handler {
            case .immediate(let handler): result = .success(try handler(work.message, stream.call).get())
            case .unary(let handler), .eager(_, let handler): result = .success(try await handler(work.message, stream.call))
            case .stream: preconditionFailure("bug: a stream is not unary work")
            }
        } catch {
            result = .failure(stream.callError(error, service: core.configuration.service))
        }
        if pipe.eventLoop.inEventLoop { return handlerEnded(stream, result) }
        pipe.eventLoop.execute { self.handlerEnded(stream, result) }
    }

    /// Starts the handler of a stream in a task of its own, which begins on this stack.
    private func runStream(
        _ stream: ServerStream, _ handler: @escaping @Sendable (MessageReader, ServerCall, MessageWriter) async throws -> Void
    ) {
        guard let inbound = stream.inbound, let outbound = stream.outbound else { return }
        let service = core.configuration.service
        let task = Task.immediate {
            let result: Result<ByteBuffer?, CallError>
            do {
                try await handler(MessageReader(inbound: inbound), stream.call, MessageWriter(outbound: outbound))
                result = .success(nil)
            } catch {
                result = .failure(stream.callError(error, service: service))
            }
            if self.pipe.eventLoop.inEventLoop { return self.handlerEnded(stream, result) }
            self.pipe.eventLoop.execute { self.handlerEnded(stream, result) }
        }
        if stream.isOver { return }
        stream.task = task
        if stream.cancellation != nil { task.cancel() }
    }

    private func handlerEnded(_ stream: ServerStream, _ result: Result<ByteBuffer?, CallError>) {
        streams.removeValue(forKey: stream.id)
        inFlight[stream.entry.descriptor.methodClass] -= 1
        core.inFlight.subtract(1, ordering: .relaxed)
        assembling.remove(stream.assembler.bytes)
        working.remove(stream.requestBytes)
        stream.end()
        if !stream.isSilenced { answer(stream.id, result) }
        closeIfDrained()
        forgetIfDone()
    }

    private func named(_ error: CallError) -> CallError {
        var error = error
        if error.origin == nil { error.origin = core.configuration.service }
        return error
    }

    private func refuse(_ id: UInt32, _ error: CallError) { answer(id, Result<ByteBuffer?, CallError>.failure(named(error))) }

    private func answer(_ id: UInt32, _ result: Result<ByteBuffer?, CallError>) {
        switch result {
        case .failure(let error):
            let flags: FrameFlags = error.notProcessed ? [.endStream, .notProcessed] : .endStream
            pipe.send(
                FrameHeader(type: .status, flags: flags, stream: id, aux: error.code.rawValue),
                message: IPCMessages.Failure(error))
        case .success(let message?):
            guard message.readableBytes <= peerMaxMessageBytes else {
                return refuse(id, .replyTooLarge(message.readableBytes, peerMaxMessageBytes))
            }
            if message.readableBytes > FrameLimits.fragmentBytes {
                pipe.send(FrameHeader(type: .message, flags: .hasMessage, stream: id), message)
                pipe.send(FrameHeader(type: .status, flags: .endStream, stream: id))
            } else {
                pipe.send(FrameHeader(type: .status, flags: [.endStream, .hasMessage], stream: id), message)
            }
        case .success(nil):
            pipe.send(FrameHeader(type: .status, flags: .endStream, stream: id))
        }
    }
}

// MARK: what follows a request
extension ServerConnection {
    /// The stream of a frame; nil when it is over. One that was never opened is a violation.
    private func known(_ header: FrameHeader) throws(ProtocolViolation) -> ServerStream? {
        if let stream = streams[header.stream] { return stream }
        guard header.stream <= lastStream, header.stream & 1 == 1 else {
            throw ProtocolViolation(description: "\(header.type) on stream \(header.stream), which was never opened")
        }
        return nil
    }

    private func receivedMessage(_ frame: FrameDecoder.Frame) throws(ProtocolViolation) {
        guard let stream = try known(frame.header), stream.cancellation == nil else { return }
        let flags = frame.header.flags
        if flags.contains(.hasMessage) || flags.contains(.more) || stream.assembler.isPartial {
            if !stream.assembler.isPartial { try stream.inbound?.admit() }
            try stream.assembler.check(frame.header, frame.payload)
            guard let message = assemble(frame, stream) else { return }
            if let inbound = stream.inbound {
                guard !inbound.isEnded else {
                    throw ProtocolViolation(description: "message after the end of stream \(stream.id)")
                }
                inbound.push(message)
            } else {
                guard !stream.isRunning else {
                    throw ProtocolViolation(description: "second message of unary stream \(stream.id)")
                }
                serve(stream, message)
            }
        }
        if flags.contains(.endStream), !flags.contains(.more) { stream.inbound?.finish(.success(())) }
    }

    private func assemble(_ frame: FrameDecoder.Frame, _ stream: ServerStream) -> ByteBuffer? {
        let before = stream.assembler.bytes
        do {
            let limit = min(core.configuration.maxMessageBytes, before + FrameLimits.assemblyBytes - assembling.bytes)
            let message = try stream.assembler.add(frame.header, frame.payload, limit: limit, &pipe.ring)
            assembling.add(stream.assembler.bytes - before)
            return message
        } catch {
            assembling.remove(before)
            cancel(stream, named(error), silently: false)
            return nil
        }
    }

    private func cancelled(_ header: FrameHeader) throws(ProtocolViolation) {
        let stream = try known(header)
        // The answer of a call that is over may still be on its way.
        pipe.dropUnsent(header.stream)
        guard let stream else { return }
        cancel(stream, .cancelledByCaller, silently: true)
    }

    private func cancel(_ stream: ServerStream, _ error: CallError, silently: Bool) {
        stream.cancel(error, silently: silently)
        if !stream.isRunning { handlerEnded(stream, .failure(error)) }
    }

    private func armWheel() {
        guard let next = wheel.nextCheck, state != .closed || !streams.isEmpty else { return }
        if let wheelTimer, wheelTimer <= next { return }
        wheelTimer = next
        pipe.eventLoop.assumeIsolated().scheduleTask(deadline: .uptimeNanoseconds(next.nanoseconds)) { [weak self] in
            self?.turnWheel(next)
        }
    }

    private func turnWheel(_ timer: MonotonicTime) {
        guard wheelTimer == timer else { return }
        wheelTimer = nil
        for id in wheel.expired(now: .now(), isAlive: { streams[$0] != nil }) {
            guard let stream = streams[id] else { continue }
            cancel(stream, named(.deadlinePassed(stream.entry.descriptor.name)), silently: false)
        }
        armWheel()
    }
}

// MARK: draining
extension ServerConnection {
    func drain() {
        switch state {
        case .open:
            state = .draining
            pipe.send(FrameHeader(type: .drain))
        case .awaitingHello: pipe.close("the server is draining")
        case .draining, .confirmed, .closed: break
        }
    }

    /// The client has had its time to confirm.
    func drainUnconfirmed() {
        if state == .draining, streams.isEmpty { pipe.closeWhenSent("drained") }
    }

    /// The calls whose callers wait for a status.
    var answerable: [ServerStream] { streams.values.filter { !$0.isSilenced } }

    /// Ends what still runs.
    func cutOff() {
        for stream in answerable {
            let error = named(
                CallError(.unavailable, reason: "shutting_down", message: "\(core.configuration.service) shut down"))
            // Nothing may stand before the last word.
            pipe.dropUnsent(stream.id)
            answer(stream.id, .failure(error))
            cancel(stream, error, silently: true)
        }
        pipe.closeAfterFlush("drained")
    }

    private func closeIfDrained() {
        if state == .confirmed, streams.isEmpty { pipe.closeWhenSent("drained") }
    }

    private func forgetIfDone() {
        if state == .closed, streams.isEmpty { core.forget(self) }
    }
}

extension CallError {
    fileprivate static func noSuchMethod(_ index: Int) -> CallError {
        CallError(.unimplemented, reason: "unknown_method", message: "there is no method with id \(index)", notProcessed: true)
    }

    fileprivate static func expired(_ method: String) -> CallError {
        CallError(
            .deadlineExceeded, reason: "expired_on_arrival", message: "the deadline of \(method) had passed when it arrived",
            notProcessed: true)
    }

    fileprivate static func overloaded(_ configuration: ServerConfiguration, _ methodClass: MethodClass) -> CallError {
        CallError(
            .resourceExhausted, reason: "too_many_calls",
            message: "\(configuration.service) serves \(configuration.limits[methodClass]) \(methodClass) calls of a "
                + "connection at once, and that many run; try again later",
            retryAfter: .milliseconds(100), notProcessed: true)
    }

    fileprivate static func overloaded(_ configuration: ServerConfiguration, _ maxWorking: Int) -> CallError {
        CallError(
            .resourceExhausted, reason: "too_many_calls",
            message: "\(configuration.service) works on \(maxWorking >> 20) MiB of requests of a connection at once, and has "
                + "as much; try again later",
            retryAfter: .milliseconds(100), notProcessed: true)
    }

    fileprivate static func replyTooLarge(_ bytes: Int, _ limit: Int) -> CallError {
        CallError(
            .resourceExhausted, reason: "message_too_large",
            message: "the reply has \(bytes) bytes, the caller takes \(limit) at most")
    }
}
