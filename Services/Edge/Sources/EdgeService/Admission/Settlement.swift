import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadServiceKit
import Logging
import NIOCore
import Synchronization

// States of a report: waiting (for an admission to travel with) → travelling → taken in; or in line (for a call of its own)
// → being delivered → taken in or given up. From waiting and travelling it goes in line when no admission comes, or session does
// not say that it took it in. A report with an Idempotency-Key is in line at once. It, and one of money, is in line again after a
// pause until session has it; of those of money a bounded number, the others are added up (`SpendReporter`) and so given up.

/// Tells session how admitted requests ended, behind the clients' backs: a bounded line, a bounded number at once.
///
/// Most reports travel with the next admission, which session judges after it has taken them in: who was answered and comes
/// again finds its place free, and a report costs neither a call nor a wake-up of its own.
final class Settlement: Sendable {
    fileprivate struct Job: Sendable {
        var request: SessionAPI.SettleRequest
        let metadata: CallMetadata
        /// What becomes of an Idempotency-Key must arrive: a provider was called, and nobody else knows the outcome.
        let mustArrive: Bool
        /// The stream whose end is reported: after its last event.
        var recorder: StreamRecorder?
        var tries = 0
        /// Who spent what it tells of.
        var subject: SpendSubject?
        /// It waits for session to come back.
        var isPostponed = false
        /// The client left; what the answer had cost is asked for, and told to telemetry, first.
        var left: TelemetryAPI.RequestEvent?
    }

    /// Reports that wait; more are dropped and counted. Session forgets admissions that are never settled by itself.
    private static let capacity = 16_384
    private static let concurrency = 64
    /// Reports of money that wait for session to come back: about those that ran when it went away.
    private static let mostPostponed = 4096
    /// How long the end of the process waits for a session that is away.
    private static let lastPatience = Duration.seconds(1)
    /// How often a report is made that session answers with another failure than that it is away.
    private static let triesAtRefusal = 10
    /// Pauses between tries: the first, doubled up to the last.
    private static let pauses = (first: Duration.milliseconds(250), longest: Duration.seconds(5))
    /// Bytes of answers that wait for session; of more it is reported that their requests ran.
    private static let answerBytes = 64 << 20
    /// How long the end of a client's answer waits for what was recorded of it to be kept, and a report behind it.
    private static let recordingLimits = (client: Duration.seconds(1), report: Duration.seconds(30))
    /// How long a report waits for an admission.
    private static let patience = Duration.milliseconds(5)
    /// Reports that travel with one admission: what a frame holds.
    private static let companions = 256

    /// How long the router may take to say what an answer had cost.
    private static let usageLimit = Duration.seconds(2)

    private let peers: EdgePeers
    private let claims: HeldClaims
    private let reporter: SpendReporter
    private let telemetry: TelemetryEmitter
    private let logger: Logger
    private let failures: Counter
    private let staleFences: Counter
    private let jobs: AsyncStream<Job>
    private let line: AsyncStream<Job>.Continuation
    private let state = Mutex(State())

    private struct State {
        /// Reports that were neither taken in nor given up.
        var open = 0
        /// Those of them that wait for session to come back.
        var postponed = 0
        /// Of answers in reports that are open.
        var answerBytes = 0
        /// Those that wait for an admission; there is a timer while there are any.
        var waiting: [Job] = []
        var waitsSince = MonotonicTime.never
        var isTimed = false
    }

    init(
        peers: EdgePeers, claims: HeldClaims, reporter: SpendReporter, telemetry: TelemetryEmitter, logger: Logger,
        metrics: MetricsRegistry
    ) {
        self.peers = peers
        self.claims = claims
        self.reporter = reporter
        self.telemetry = telemetry
        self.logger = logger
        failures = metrics.counter("edge_settle_failures", help: "Reports on finished requests that session did not get.")
        staleFences = metrics.counter(
            "edge_stale_fences", help: "Ends of requests that session refused because another run had their Idempotency-Key.")
        (jobs, line) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingOldest(Self.capacity))
    }

    private func enqueue(_ job: Job) {
        var job = job
        state.withLock { state in
            state.open += 1
            if state.answerBytes + job.answerBytes > Self.answerBytes { job.dropBody() }
            state.answerBytes += job.answerBytes
        }
        lineUp(job)
    }

    /// Puts an open report in line for a call of its own.
    private func lineUp(_ job: Job) {
        if case .enqueued = line.yield(job) { return }
        giveUp(job)
    }

    /// Session will not hear of the admission; of what it cost it will.
    private func giveUp(_ job: Job) {
        failures.add()
        addUp(job)
        close(job)
    }

    private func addUp(_ job: Job) {
        if let subject = job.subject, job.tellsOfMoney { reporter.add(job.request, of: subject) }
    }

    private func close(_ job: Job) {
        state.withLock { state in
            state.open -= 1
            state.answerBytes -= job.answerBytes
            if job.isPostponed { state.postponed -= 1 }
        }
        if job.mustArrive { claims.forget(job.request.admissionID) }
    }

    /// Delivers until cancelled, so many at once.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await job in jobs {
                if running == Self.concurrency {
                    await group.next()
                    running -= 1
                }
                group.addTask { await self.deliver(job) }
                running += 1
            }
        }
    }

    /// Waits until everything was delivered or given up, at most until `deadline`; for a session that is away not as long.
    func flush(until deadline: MonotonicTime, on eventLoop: any EventLoop) async {
        let patience = MonotonicTime.now() + Self.lastPatience
        while true {
            let (open, postponed) = state.withLock { ($0.open, $0.postponed) }
            guard open > 0, .now() < (open > postponed ? deadline : min(deadline, patience)) else { return }
            lineUpWaiting()
            do { try await eventLoop.sleep(.milliseconds(5)) } catch { return }
        }
    }

    private func deliver(_ job: Job) async {
        var job = job.left == nil ? job : await completed(job)
        guard !job.request.admissionID.isEmpty else {
            addUp(job)
            return close(job)
        }
        await job.recorder?.settled(within: Self.recordingLimits.report)
        job.tries += 1
        switch await report(job) {
        case .taken, .stale: return close(job)
        case .failed where job.mustArrive: pause(job)
        case .refused where job.mustArrive && job.tries < Self.triesAtRefusal: pause(job)
        case .failed where job.tellsOfMoney && postpone(&job): pause(job)
        case .failed, .refused: giveUp(job)
        }
    }

    /// - Returns: false when too many wait for session to come back.
    private func postpone(_ job: inout Job) -> Bool {
        if job.isPostponed { return true }
        job.isPostponed = state.withLock { state in
            guard state.postponed < Self.mostPostponed else { return false }
            state.postponed += 1
            return true
        }
        return job.isPostponed
    }

    /// Puts a report in line again, later each time.
    private func pause(_ job: Job) {
        let factor = 1 << min(job.tries - 1, 10)
        let pause = min(Self.pauses.first * factor, Self.pauses.longest)
        _ = ProcessRuntime.eventLoop.scheduleTask(in: TimeAmount(pause)) { self.lineUp(job) }
    }

    private enum Word {
        case taken
        /// Another run has the Idempotency-Key.
        case stale
        /// Session is away.
        case failed
        case refused
    }

    private func report(_ job: Job) async -> Word {
        do {
            // One that waits anyway keeps nobody else in the line waiting.
            let options = peers.sessionOptions(job.metadata, waits: !job.isPostponed)
            let reply = try await peers.session.settle(job.reportable, options)
            guard reply.staleFence else { return .taken }
            staleFences.add()
            return .stale
        } catch {
            logger.debug(
                "a finished request was not settled", metadata: ["request": "\(job.metadata.requestID)", "error": "\(error)"])
            switch (error as? CallError)?.code {
            case .unavailable, .deadlineExceeded, .resourceExhausted, .aborted, .cancelled, nil: return .failed
            default: return .refused
            }
        }
    }
}

extension Settlement {
    /// Reports a request whose client left before the answer's cost was told.
    /// - Parameter event: what telemetry is to be told; its tokens are an estimate, used if nothing better is to be had.
    func settleLeft(
        _ caller: Caller, _ metadata: CallMetadata, _ event: TelemetryAPI.RequestEvent, fate: ClaimFate = .release
    ) {
        caller.hold?.spend(nil)
        caller.heldTokens?.spend(nil)
        let request = SessionAPI.SettleRequest(
            admissionID: caller.admissionID, keyID: caller.keyID, status: event.status, fence: caller.fence,
            identity: caller.tokenIdentity)
        var job = Job(
            request: request, metadata: metadata, mustArrive: caller.isIdempotent, subject: caller.subject, left: event)
        if caller.isIdempotent { apply(fate, to: &job) }
        enqueue(job)
    }

    /// Reports that an admission edge may not know of was not used.
    /// - Parameter fence: a claim that was never taken before has the first; another one is free when its lease is over.
    func release(_ admissionID: String, _ metadata: CallMetadata, fence: Int = 1) {
        let request = SessionAPI.SettleRequest(admissionID: admissionID, unused: true, fence: fence)
        enqueue(Job(request: request, metadata: metadata, mustArrive: false))
    }

    private func completed(_ job: Job) async -> Job {
        guard var event = job.left else { return job }
        let options = peers.routerOptions(job.metadata, deadline: .now() + Self.usageLimit)
        do {
            let reply = try await peers.router.takeUsage(.init(requestID: job.metadata.requestID), options)
            if let usage = reply.usage { event.note(usage) }
            if let served = reply.served, event.provider.isEmpty {
                event.provider = served.provider
                event.model = served.model
                event.attempts = served.attempts
            }
        } catch {
            logger.debug(
                "the cost of an answer whose client left is estimated",
                metadata: ["request": "\(job.metadata.requestID)", "error": "\(error)"])
        }
        telemetry.emit(event)
        var job = job
        // Told once, however often the report is made.
        job.left = nil
        job.request.inputTokens = event.inputTokens
        job.request.outputTokens = event.outputTokens
        job.request.costNanousd = event.costNanousd
        return job
    }

    /// Reports the end of `caller`'s request if there is anything to report: usage, or an Idempotency-Key to keep or free.
    ///
    /// Waits with an Idempotency-Key, as once the client has its answer a repetition must find it, or the key free; and for the
    /// last place of a limit to be free. When session does not take it within the link's deadline the client is not kept waiting,
    /// and the report goes on trying.
    /// - Parameters:
    ///   - status: HTTP status; 0 when the client left before one was sent.
    ///   - fate: what becomes of the Idempotency-Key.
    ///   - cached: the answer came from a cache: it is no call that a runaway client makes.
    /// - Returns: false when another run has the Idempotency-Key: this one's answer is not the one that is given again.
    @discardableResult
    func settle(
        _ caller: Caller, _ metadata: CallMetadata, status: Int, usage: ChatAPI.Usage? = nil, fate: ClaimFate = .release,
        cached: Bool = false
    ) async -> Bool {
        caller.hold?.spend(usage == nil ? 0 : usage?.costNanousd)
        caller.heldTokens?.spend(usage.map { SpentSum.adding($0.inputTokens, $0.outputTokens) } ?? 0)
        guard caller.isSettled, caller.isIdempotent || caller.isReserved || usage != nil else { return true }
        let request = SessionAPI.SettleRequest(
            admissionID: caller.admissionID, keyID: caller.keyID, status: status, inputTokens: usage?.inputTokens ?? 0,
            outputTokens: usage?.outputTokens ?? 0, costNanousd: usage?.costNanousd,
            unused: usage == nil && !caller.isIdempotent, fence: caller.fence, cached: cached,
            identity: caller.tokenIdentity)
        var job = Job(request: request, metadata: metadata, mustArrive: caller.isIdempotent, subject: caller.subject)
        guard !caller.admissionID.isEmpty else {
            addUp(job)
            return true
        }
        if caller.isIdempotent { apply(fate, to: &job) }
        await job.recorder?.settled(within: Self.recordingLimits.client)
        // Who has the last place may come again as soon as it has its answer: the place must be free then.
        if job.recorder?.isSettled ?? (caller.isIdempotent || caller.limits.isLastPlace) {
            switch await report(job) {
            case .taken:
                claims.forget(caller.admissionID)
                return true
            case .stale:
                claims.forget(caller.admissionID)
                return false
            case .failed, .refused: break
            }
        }
        if caller.isIdempotent { enqueue(job) } else { attach(job) }
        return true
    }

    private func apply(_ fate: ClaimFate, to job: inout Job) {
        switch fate {
        case .release: break
        case .keep(let answer):
            job.request.answer = answer
            if job.answerBytes > AnswerCopy.limit { job.dropBody() }
        case .keepNothing(let answer):
            job.request.answer = answer
            job.dropBody()
        case .keepStream(let recorder, let head, let isIncomplete):
            job.request.answer = head
            job.request.streamEnd = SessionAPI.StreamEnd(incomplete: isIncomplete)
            job.recorder = recorder
        case .unknown:
            job.request.outcomeUnknown = true
            claims.forget(job.request.admissionID)
            return
        }
        claims.settling(job.request.admissionID)
    }
}

extension Settlement.Job {
    /// Somebody is to be charged for the request.
    fileprivate var tellsOfMoney: Bool { subject != nil && !request.unused }

    /// Of the answer that is to be kept.
    fileprivate var answerBytes: Int { request.answer?.body?.readableBytes ?? 0 }

    /// The answer is more than is kept: that the request ran is.
    fileprivate mutating func dropBody() {
        guard request.answer != nil else { return }
        request.answer?.body = nil
        request.streamEnd = SessionAPI.StreamEnd(truncated: true)
    }

    /// The report, with the end of its stream as it is by now.
    fileprivate var reportable: SessionAPI.SettleRequest {
        guard let recorder else { return request }
        var request = request
        request.streamEnd = recorder.end(isIncomplete: request.streamEnd?.incomplete ?? false)
        return request
    }
}

/// Reports that travel with an admission.
struct Companions: Sendable {
    fileprivate let jobs: [Settlement.Job]

    /// As session is told them.
    var requests: [SessionAPI.SettleRequest] { jobs.map(\.request) }
}

// MARK: reports that travel with an admission

extension Settlement {
    /// The reports that are to travel with an admission; `arrived` says what became of them.
    func companions() -> Companions {
        Companions(
            jobs: state.withLock { state in
                guard !state.waiting.isEmpty else { return [] }
                let taken = Array(state.waiting.prefix(Self.companions))
                state.waiting.removeFirst(taken.count)
                return taken
            })
    }

    /// - Parameter taken: how many of them session took in. The others are reported again, which does no harm.
    func arrived(_ companions: Companions, taken: Int) {
        guard !companions.jobs.isEmpty else { return }
        let taken = min(max(0, taken), companions.jobs.count)
        for job in companions.jobs.prefix(taken) { close(job) }
        for job in companions.jobs.dropFirst(taken) { lineUp(job) }
    }

    private func attach(_ job: Job) {
        let (isKept, needsTimer) = state.withLock { state in
            guard state.waiting.count < Self.capacity else { return (false, false) }
            if state.waiting.isEmpty { state.waitsSince = .now() }
            state.open += 1
            state.waiting.append(job)
            defer { state.isTimed = true }
            return (true, !state.isTimed)
        }
        if !isKept {
            failures.add()
            addUp(job)
        }
        if needsTimer { time(Self.patience) }
    }

    private func time(_ wait: Duration) {
        _ = ProcessRuntime.eventLoop.scheduleTask(in: TimeAmount(wait)) { self.checkPatience() }
    }

    private func checkPatience() {
        let more = state.withLock { state -> Duration? in
            let left = state.waiting.isEmpty ? .zero : Self.patience - (.now() - state.waitsSince)
            state.isTimed = left > .zero
            return state.isTimed ? left : nil
        }
        if let more { time(more) } else { lineUpWaiting() }
    }

    private func lineUpWaiting() {
        let jobs = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for job in jobs { lineUp(job) }
    }
}
