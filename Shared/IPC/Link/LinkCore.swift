import BulkheadCore
import BulkheadResilience
import NIOCore
import Synchronization

/// The inside of a link: dials and keeps dialling, admits calls and accounts for their ends.
///
/// States (`LinkState`): connecting → ready → down → ready …; suspect when the peer is silent, draining when it asked for no
/// more calls, incompatible when it speaks another version. Calls wait, bounded in number and time, while the link is
/// connecting, down or draining and the breaker is closed; in every other state they fail at once.
///
/// `@unchecked Sendable`: `book` apart, touched on the event loop only.
final class LinkCore: @unchecked Sendable {
    /// Calls that wait for the link or a probe's result at most; more fail at once.
    private static let maxWaiting = 1024
    /// A peer of another version is not asked again sooner.
    private static let incompatiblePause: Duration = .seconds(30)
    /// Handshakes in a row without an answer that open the breaker.
    private static let greetingsToTrip = 3
    private static let waitTick: Duration = .milliseconds(10)
    /// A peer that restarts is back within this time, so that calls wait for it and nobody is blamed. After it calls fail at
    /// once, and count.
    private static let restartTime: Duration = .seconds(1)
    /// At the beginning of an outage the peer is looked for more often: asking for a path that is not there costs microseconds.
    private static let eagerTime: Duration = .seconds(5)
    /// The same for a peer that said that it ends: it has its grace to finish what runs before it can come back.
    private static let eagerTimeOfAnnounced: Duration = .seconds(30)
    private static let eagerPause: Duration = .milliseconds(40)
    /// Unsent bytes beyond which a call with a request is refused. Mostly those of the callers' buffers, not copies.
    private static let maxBacklog = 512 << 20

    let configuration: LinkConfiguration
    let eventLoop: any EventLoop
    private let dialer: LinkDialer
    let book: Mutex<LinkBook>
    /// The connection that takes calls.
    private var current: ClientConnection?
    private var dialing: ClientConnection?
    /// Draining connections whose calls have not ended.
    private var retiring: [ObjectIdentifier: ClientConnection] = [:]
    private var backoff: Backoff
    private var nextDial: Scheduled<Void>?
    private var unansweredGreetings = 0
    /// Since when there is no connection that takes calls; nil while there is one.
    private var outageSince: MonotonicTime? = .now()
    /// The peer said that it ends: it will be back.
    private var wasAnnounced = false
    private var waiting = BoundedQueue<ClientCall>(capacity: maxWaiting)
    private var waitTimerArmed = false
    private var observer: (@Sendable (LinkSnapshot) -> Void)?
    private(set) var isClosed = false

    init(_ configuration: LinkConfiguration, dialer: LinkDialer, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.dialer = dialer
        self.eventLoop = eventLoop
        self.book = Mutex(LinkBook(configuration.breaker, now: .now()))
        self.backoff = Backoff(base: .milliseconds(20), limit: .milliseconds(250), seed: .random(in: .min ... .max))
    }

    func snapshot() -> LinkSnapshot { book.withLock { $0.snapshot(peer: configuration.peer, now: .now()) } }

    func observe(_ observer: @escaping @Sendable (LinkSnapshot) -> Void) {
        self.observer = observer
        observer(snapshot())
    }

    func force(_ override: CircuitBreaker.Override) {
        book.withLock { $0.breaker.force(override, now: .now()) }
        observer?(snapshot())
        admitWaiting()
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        enter(.down, LinkSnapshot.closedHere)
        while let call = waiting.pop() { call.resume(.failure(.linkClosed(configuration.peer))) }
        for connection in [current, dialing].compactMap({ $0 }) + retiring.values {
            connection.pipe.closeAfterFlush(LinkSnapshot.closedHere)
        }
        observer = nil
    }

    private func enter(_ state: LinkState, _ error: String? = nil) {
        let changed = book.withLock { book in
            if let error { book.lastError = error }
            return book.enter(state, now: .now())
        }
        if changed { observer?(snapshot()) }
    }
}

// MARK: dialling
extension LinkCore {
    func dial() {
        guard !isClosed, dialing == nil, current == nil else { return }
        let pipe = FramePipe(eventLoop: eventLoop)
        let connection = ClientConnection(link: self, pipe: pipe)
        dialing = connection
        dialer.dial(pipe) { [eventLoop] reason in eventLoop.run { pipe.transportClosed(reason) } }
    }

    private func redial(after pause: Duration? = nil) {
        guard !isClosed else { return }
        let recent = outage(.now()) < (wasAnnounced ? Self.eagerTimeOfAnnounced : Self.eagerTime)
        let pause = pause ?? min(backoff.next(), recent ? Self.eagerPause : .seconds(1))
        nextDial?.cancel()
        nextDial = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) { [weak self] in self?.dial() }
    }

    /// How long the link has been without a peer.
    private func outage(_ now: MonotonicTime) -> Duration { outageSince.map { now - $0 } ?? .zero }

    func ready(_ connection: ClientConnection) {
        guard dialing === connection, !isClosed else { return connection.pipe.close(LinkSnapshot.closedHere) }
        dialing = nil
        current = connection
        unansweredGreetings = 0
        (outageSince, wasAnnounced) = (nil, false)
        backoff.reset()
        book.withLock { $0.introduce(connection.hello, connection.methods.report, now: .now()) }
        enter(.ready)
        admitWaiting()
    }

    /// The connection takes no more calls; another one is opened beside it.
    func draining(_ connection: ClientConnection) {
        guard current === connection else { return }
        current = nil
        (outageSince, wasAnnounced) = (.now(), true)
        retiring[ObjectIdentifier(connection)] = connection
        enter(.draining)
        redial()
    }

    /// The peer answers nothing. New calls fail at once; those in flight wait for it to wake.
    func suspected(_ connection: ClientConnection) {
        // An old connection that drains says nothing about the process that took its place.
        guard connection === current else { return }
        enter(.suspect, "the peer did not answer a ping within 1 s; it is frozen or overloaded")
    }

    /// A suspect peer spoke.
    func heard(_ connection: ClientConnection) {
        guard connection === current else { return }
        enter(.ready)
        admitWaiting()
    }

    func healthChanged(_ connection: ClientConnection, _ health: PeerHealth) {
        guard connection === current else { return }
        let changed = book.withLock { $0.take(health, now: .now()) }
        if changed { observer?(snapshot()) }
    }

    /// A connection is gone, or never came to be.
    func lost(_ connection: ClientConnection, _ was: ClientConnection.State, _ calls: [ClientCall], _ reason: String) {
        if retiring.removeValue(forKey: ObjectIdentifier(connection)) != nil {
            failInFlight(calls, reason)
            if current == nil { announcedEndCame() }
            return
        }
        if current === connection {
            current = nil
            outageSince = .now()
        }
        if dialing === connection { dialing = nil }
        if isClosed { return failInFlight(calls, reason) }
        if connection.isIncompatible {
            enter(.incompatible, reason)
            redial(after: Self.incompatiblePause)
        } else {
            countGreeting(was, connection)
            // A peer that stays silent stays suspect: that its socket still accepts proves nothing.
            enter(connection.isSilent ? .suspect : .down, reason)
            redial()
        }
        failInFlight(calls, reason)
    }

    /// A peer that announced its end is done with its last call: only now its restart begins, however long the call took.
    private func announcedEndCame() {
        guard wasAnnounced, !isClosed else { return }
        outageSince = .now()
        backoff.reset()
        if dialing == nil { redial() }
    }

    /// A peer that accepts connections and greets nobody is not worth calling.
    private func countGreeting(_ was: ClientConnection.State, _ connection: ClientConnection) {
        guard was == .greeting, connection.isSilent else { return }
        unansweredGreetings += 1
        if unansweredGreetings == Self.greetingsToTrip { book.withLock { $0.breaker.trip(now: .now()) } }
    }

    /// One loss is one failure of the peer, however many calls it hit.
    private func failInFlight(_ calls: [ClientCall], _ reason: String) {
        var first = true
        for call in calls {
            end(call, .failure(.linkLost(configuration.peer, reason)), first ? .failure : .neutral)
            first = false
        }
    }
}

// MARK: calls
extension LinkCore {
    func start(_ call: ClientCall) {
        // Cancelled before it began, or while it waited.
        guard !call.isOver else { return call.resume(.failure(.cancelledByCaller)) }
        let now = MonotonicTime.now()
        if isClosed { return call.resume(.failure(.linkClosed(configuration.peer))) }
        guard now < call.options.deadline else {
            var error = CallError.deadlinePassed(call.method.name)
            error.notProcessed = true
            return call.resume(.failure(error))
        }
        if let current, !current.isSilent { begin(call, current, now) } else { waitForLink(call, now) }
    }

    private func begin(_ call: ClientCall, _ connection: ClientConnection, _ now: MonotonicTime) {
        let method: UInt16
        switch connection.methods.lookup(call.method) {
        case .id(let id): method = id
        case .unimplemented(let error): return call.resume(.failure(error))
        }
        guard let headBytes = CallHead.encodedBytes(call.options.metadata) else { return call.resume(.failure(.metadataTooLong)) }
        if let bytes = call.request?.readableBytes, bytes > Int(connection.hello.maxMessage) {
            return call.resume(.failure(.tooLarge(bytes, Int(connection.hello.maxMessage))))
        }
        let backlog = connection.pipe.backlogBytes + (call.request?.readableBytes ?? 0)
        guard backlog <= Self.maxBacklog else { return call.resume(.failure(.full(configuration.peer))) }
        guard configuration.memory.hasRoom else { return call.resume(.failure(.memoryBudget(configuration.memory))) }
        switch book.withLock({
            $0.admit(call.method.methodClass, isRetry: call.wasRetried, limits: configuration.limits, now: now)
        }) {
        case .permit(let permit):
            call.permit = permit
            call.isCounted = true
            connection.open(call, method: method, headBytes: headBytes, now: now)
        case .full:
            call.resume(.failure(.full(configuration.peer)))
        case .rejected(let retryAfter, let isProbing):
            let error = CallError.breakerOpen(configuration.peer, retryAfter)
            if isProbing { wait(call, now, orFail: error) } else { call.resume(.failure(error)) }
        }
    }

    private func waitForLink(_ call: ClientCall, _ now: MonotonicTime) {
        let (state, breaker, probeTime, lastError) = book.withLock {
            ($0.state, $0.breaker.state, $0.breaker.probeTime, $0.lastError)
        }
        let error = CallError.linkDown(configuration.peer, state, lastError)
        if breaker == .open || breaker == .forcedOpen {
            return call.resume(
                .failure(.breakerOpen(configuration.peer, probeTime.map { max(.milliseconds(250), $0 - now) } ?? .seconds(1))))
        }
        let mayWait =
            (breaker == .closed || breaker == .forcedClosed) && state != .suspect && state != .incompatible
            && outage(now) < Self.restartTime
        if mayWait { wait(call, now, orFail: error) } else { failUnreachable(call, error, now) }
    }

    private func wait(_ call: ClientCall, _ now: MonotonicTime, orFail error: CallError) {
        let asked = call.options.waitForReady
        let patience = min(
            wasAnnounced && asked > .zero ? max(asked, Self.restartTime) : asked, (call.options.deadline - now) / 5)
        guard patience > .zero else { return failUnreachable(call, error, now) }
        if call.patience == .never { call.patience = now + patience }
        call.isWaiting = true
        guard call.patience > now, waiting.push(call) else { return failUnreachable(call, error, now) }
        armWaitTimer()
    }

    private func failUnreachable(_ call: ClientCall, _ error: CallError, _ now: MonotonicTime) {
        // Silence has its own state, which ends with the first byte; it must not leave an open breaker behind. Nor must the
        // restart of a peer.
        let counts = error.reason != CallError.breakerOpenReason && error.reason != CallError.suspectReason
        if counts, outage(now) >= Self.restartTime { book.withLock { $0.countUnreachable(now: now) } }
        call.resume(.failure(error))
    }

    private func armWaitTimer() {
        guard !waitTimerArmed, !waiting.isEmpty else { return }
        waitTimerArmed = true
        eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(Self.waitTick)) { [weak self] in self?.sweepWaiting() }
    }

    private func sweepWaiting() {
        waitTimerArmed = false
        let now = MonotonicTime.now()
        let (state, lastError) = book.withLock { ($0.state, $0.lastError) }
        for call in waiting.remove(where: { $0.isOver || $0.patience <= now }) where !call.isOver {
            let isReady = current.map { !$0.isSilent } ?? false
            failUnreachable(
                call, isReady ? .breakerOpen(configuration.peer, Self.waitTick) : .linkDown(configuration.peer, state, lastError),
                now)
        }
        admitWaiting()
        armWaitTimer()
    }

    /// Tries every waiting call once, in order.
    private func admitWaiting() {
        guard let current, !current.isSilent else { return }
        for _ in 0 ..< waiting.count {
            guard let call = waiting.pop() else { return }
            call.isWaiting = false
            start(call)
        }
    }

    /// The first message of a stream came: the peer is alive, and a probe has done its service.
    func responded(_ call: ClientCall) {
        guard let permit = call.permit, permit.probe != nil else { return }
        call.permit = nil
        book.withLock { $0.breaker.record(permit, outcome: .success, now: .now()) }
        admitWaiting()
    }

    /// A call came to its end on a connection.
    func ended(_ call: ClientCall, _ result: Result<ByteBuffer?, CallError>, fromPeer: Bool) {
        switch result {
        case .success: end(call, result, .success)
        case .failure(let error): end(call, result, call.outcome(error, fromPeer: fromPeer))
        }
    }

    private func end(_ call: ClientCall, _ result: Result<ByteBuffer?, CallError>, _ outcome: CircuitBreaker.Outcome) {
        let now = MonotonicTime.now()
        if call.isCounted {
            call.isCounted = false
            let (wakes, before, after) = book.withLock { book in
                let before = book.breaker.state
                let wakes = book.end(call.method.methodClass, call.permit, outcome, now - call.started, now: now)
                if case .failure(let error) = result, outcome == .failure { book.lastError = error.description }
                return (wakes, before, book.breaker.state)
            }
            call.permit = nil
            if before != after { observer?(snapshot()) }
            if wakes, !waiting.isEmpty { eventLoop.execute { [weak self] in self?.admitWaiting() } }
        }
        if case .failure(let error) = result, retry(call, error, now) { return }
        call.resume(result)
    }

    /// - Returns: true when the call is tried a second time.
    private func retry(_ call: ClientCall, _ error: CallError, _ now: MonotonicTime) -> Bool {
        var pause = Duration.zero
        switch call.retry(error, now: now) {
        case .none: return false
        case .transparent: break
        case .budgeted(let after):
            guard book.withLock({ $0.retries.withdraw(now: now) }) else { return false }
            pause = after
        }
        call.wasRetried = true
        call.patience = .never
        call.connection = nil
        call.assembler = MessageAssembler()
        if pause > .zero {
            eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(pause)) { self.start(call) }
        } else {
            eventLoop.execute { self.start(call) }
        }
        return true
    }

    /// A call runs longer than its class should.
    func slow(_ call: ClientCall) {
        guard let permit = call.permit else { return }
        let changed = book.withLock { book in
            let before = book.breaker.state
            book.breaker.markSlow(permit, now: .now())
            return book.breaker.state != before
        }
        if changed { observer?(snapshot()) }
    }

    /// The caller does not want the call any more.
    func cancel(_ call: ClientCall) {
        guard !call.isOver else { return }
        call.connection?.abandon(call)
        end(call, .failure(.cancelledByCaller), .neutral)
    }
}
