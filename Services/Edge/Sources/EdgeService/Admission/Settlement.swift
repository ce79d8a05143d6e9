import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadServiceKit
import HTTPTypes
import Logging
import NIOCore
import Synchronization

// States of a report: waiting (for an admission to travel with) → travelling → taken in; or in line (for a call of its own)
// → being delivered → taken in or given up. From waiting and travelling it goes in line when no admission comes, or session does
// not say that it took it in. A report with an Idempotency-Key is in line at once.

/// Tells session how admitted requests ended, behind the clients' backs: a bounded line, a bounded number at once.
///
/// Most reports travel with the next admission, which session judges after it has taken them in: who was answered and comes
/// again finds its place free, and a report costs neither a call nor a wake-up of its own.
final class Settlement: Sendable {
    fileprivate struct Job: Sendable {
        var request: SessionAPI.SettleRequest
        let metadata: CallMetadata
        /// An answer kept for an Idempotency-Key must arrive, or the key stays taken: tried again for a minute.
        let mustArrive: Bool
        /// The client left; what the answer had cost is asked for, and told to telemetry, first.
        var left: TelemetryAPI.RequestEvent?
    }

    /// Reports that wait; more are dropped and counted. Session forgets admissions that are never settled by itself.
    private static let capacity = 16_384
    private static let concurrency = 64
    private static let tries = 60
    /// How long a report waits for an admission.
    private static let patience = Duration.milliseconds(5)
    /// Reports that travel with one admission: what a frame holds.
    private static let companions = 256

    /// How long the router may take to say what an answer had cost.
    private static let usageLimit = Duration.seconds(2)

    private let peers: EdgePeers
    private let telemetry: TelemetryEmitter
    private let logger: Logger
    private let failures: Counter
    private let jobs: AsyncStream<Job>
    private let line: AsyncStream<Job>.Continuation
    private let state = Mutex(State())

    private struct State {
        /// Reports that were neither taken in nor given up.
        var open = 0
        /// Those that wait for an admission; there is a timer while there are any.
        var waiting: [Job] = []
        var waitsSince = MonotonicTime.never
        var isTimed = false
    }

    init(peers: EdgePeers, telemetry: TelemetryEmitter, logger: Logger, metrics: MetricsRegistry) {
        self.peers = peers
        self.telemetry = telemetry
        self.logger = logger
        failures = metrics.counter("edge_settle_failures", help: "Reports on finished requests that session did not get.")
        (jobs, line) = AsyncStream.makeStream(of: Job.self, bufferingPolicy: .bufferingOldest(Self.capacity))
    }

    private func enqueue(_ job: Job) {
        state.withLock { $0.open += 1 }
        lineUp(job)
    }

    /// Puts an open report in line for a call of its own.
    private func lineUp(_ job: Job) {
        if case .enqueued = line.yield(job) { return }
        close(1)
        failures.add()
    }

    private func close(_ count: Int) { state.withLock { $0.open -= count } }

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

    /// Waits until everything was delivered or given up, at most until `deadline`.
    func flush(until deadline: MonotonicTime, on eventLoop: any EventLoop) async {
        while state.withLock({ $0.open }) > 0, .now() < deadline {
            lineUpWaiting()
            do { try await eventLoop.sleep(.milliseconds(5)) } catch { return }
        }
    }

    private func deliver(_ job: Job) async {
        defer { close(1) }
        let job = job.left == nil ? job : await completed(job)
        guard !job.request.admissionID.isEmpty else { return }
        for attempt in 1 ... (job.mustArrive ? Self.tries : 1) {
            if attempt > 1 {
                do { try await ProcessRuntime.eventLoop.sleep(.seconds(1)) } catch { break }
            }
            if await report(job) { return }
        }
        failures.add()
    }

    private func report(_ job: Job) async -> Bool {
        do {
            _ = try await peers.session.settle(job.request, peers.sessionOptions(job.metadata, waits: true))
            return true
        } catch {
            logger.debug(
                "a finished request was not settled", metadata: ["request": "\(job.metadata.requestID)", "error": "\(error)"])
            return false
        }
    }
}

extension Settlement {
    /// Reports a request whose client left before the answer's cost was told.
    /// - Parameter event: what telemetry is to be told; its tokens are an estimate, used if nothing better is to be had.
    func settleLeft(_ caller: Caller, _ metadata: CallMetadata, _ event: TelemetryAPI.RequestEvent) {
        let request = SessionAPI.SettleRequest(
            admissionID: caller.admissionID, keyID: caller.keyID, status: event.status, fence: caller.fence)
        enqueue(Job(request: request, metadata: metadata, mustArrive: caller.isIdempotent, left: event))
    }

    /// Reports that an admission edge may not know of was not used.
    func release(_ admissionID: String, _ metadata: CallMetadata) {
        let request = SessionAPI.SettleRequest(admissionID: admissionID, unused: true)
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
        job.request.inputTokens = event.inputTokens
        job.request.outputTokens = event.outputTokens
        job.request.costNanousd = event.costNanousd
        return job
    }

    /// Headers of an answer that say something about it in a replay too.
    private static let kept = [
        "x-bulkhead-cache", "x-bulkhead-provider", "x-bulkhead-model", "x-bulkhead-attempts", "x-bulkhead-cost-usd",
    ]

    /// Reports the end of `caller`'s request if there is anything to report: usage, or an Idempotency-Key to keep or free.
    ///
    /// Waits for an answer that is kept for its Idempotency-Key: once the client has it, a repetition must find it; and for
    /// the last place of a limit to be free.
    /// When session does not take it within the link's deadline the client is not kept waiting, and the report goes on trying.
    /// - Parameters:
    ///   - status: HTTP status; 0 when the client left before one was sent.
    ///   - answer: what to replay; nil frees the key.
    func settle(_ caller: Caller, _ metadata: CallMetadata, status: Int, usage: ChatAPI.Usage?, answer: WholeReply?) async {
        let kept = caller.isIdempotent ? answer.map(Self.stored) : nil
        await settle(caller, metadata, status: status, usage: usage, stored: kept)
    }

    /// The same with an answer as session keeps it.
    func settle(
        _ caller: Caller, _ metadata: CallMetadata, status: Int, usage: ChatAPI.Usage? = nil, stored: SessionAPI.StoredAnswer?
    ) async {
        guard !caller.admissionID.isEmpty, caller.isIdempotent || caller.isReserved || usage != nil else { return }
        var request = SessionAPI.SettleRequest(
            admissionID: caller.admissionID, keyID: caller.keyID, status: status, inputTokens: usage?.inputTokens ?? 0,
            outputTokens: usage?.outputTokens ?? 0, costNanousd: usage?.costNanousd,
            unused: usage == nil && !caller.isIdempotent, fence: caller.fence)
        if caller.isIdempotent { request.answer = stored }
        let job = Job(request: request, metadata: metadata, mustArrive: caller.isIdempotent)
        // Who has the last place may come again as soon as it has its answer: the place must be free then.
        if request.answer != nil || caller.limits.isLastPlace, await report(job) { return }
        if caller.isIdempotent { enqueue(job) } else { attach(job) }
    }

    private static func stored(_ answer: WholeReply) -> SessionAPI.StoredAnswer {
        SessionAPI.StoredAnswer(
            status: answer.status, contentType: answer.contentType, body: answer.body,
            headers: answer.fields.filter { kept.contains($0.name.canonicalName) }.map { "\($0.name.canonicalName): \($0.value)" }
        )
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
        close(taken)
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
        if !isKept { failures.add() }
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
