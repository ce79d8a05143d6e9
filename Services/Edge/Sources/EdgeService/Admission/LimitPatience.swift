import BulkheadCore
import BulkheadObservability
import NIOCore
import Synchronization

/// Has requests admitted, and lets those wait that a limit refuses for a moment only: in the line of the gate, without their place.
///
/// A spike is so smoothed, while real overuse is refused at once. Nobody waits for money, nor for anything else that a moment
/// does not change.
final class LimitPatience: Sendable {
    /// How often session is asked about one request.
    private static let maxQuestions = 8
    /// From one question to the next where nobody knows when a place comes free.
    private static let pause = Duration.milliseconds(40) ... Duration.milliseconds(250)

    private let admission: Admission
    private let gate: RequestGate
    private let longest: Duration
    private let queueMaxWait: Duration
    private let settings: EdgeSettings
    private let lines = Mutex(LimitLines())
    private let waits: (admitted: Counter, refused: Counter, left: Counter)
    private let waited: Timing

    /// - Parameter gate: whose line they wait in.
    init(admission: Admission, gate: RequestGate, settings: EdgeSettings, metrics: MetricsRegistry) {
        let now = settings.current
        self.admission = admission
        self.gate = gate
        longest = min(now.queueMaxLimitWait, now.queueMaxWait)
        queueMaxWait = now.queueMaxWait
        self.settings = settings
        let counter = { (outcome: String) in
            metrics.counter(
                "edge_limit_waits", help: "Requests that waited for a limit, by what became of them.",
                labels: [("outcome", outcome)])
        }
        waits = (counter("admitted"), counter("refused"), counter("left"))
        waited = metrics.timing("edge_limit_wait_duration", help: "How long requests waited for a limit.")
    }

    /// As `Admission.admit`, for the request of an exchange.
    /// - Parameter timeout: what the client asks its request to take at most.
    func admit(_ request: AdmissionRequest, _ exchange: Exchange, timeout: Duration? = nil) async throws -> Admission.Outcome {
        guard longest > .zero, request.counts, exchange.place != nil else {
            return try await admission.admit(request, exchange.request.headers, exchange.scope)
        }
        if lines.withLock({ !$0.isEmpty }), let owner = admission.owner(exchange.request.headers) {
            let wait = Wait(request, exchange, self, timeout)
            if try wait.follow(owner) { return try await run(wait, after: nil) }
        }
        do {
            return try await admission.admit(request, exchange.request.headers, exchange.scope)
        } catch let refused as RefusedAtLimit where refused.isBrief {
            return try await run(Wait(request, exchange, self, timeout), after: refused)
        }
    }

    @inline(never)
    private func run(_ wait: Wait, after refused: RefusedAtLimit?) async throws -> Admission.Outcome {
        do {
            let outcome = try await wait.run(after: refused)
            record(wait, waits.admitted)
            return outcome
        } catch {
            record(wait, error is CancellationError ? waits.left : waits.refused)
            throw error
        }
    }

    private func record(_ wait: Wait, _ counter: Counter) {
        guard wait.hasWaited else { return }
        counter.add()
        waited.record(microseconds: (MonotonicTime.now() - wait.began).nanosecondsClamped / 1000)
    }

    /// One request that waits. Confined to the task of its connection.
    private final class Wait {
        let began = MonotonicTime.now()
        private(set) var hasWaited = false
        private let patience: LimitPatience
        private let request: AdmissionRequest
        private let exchange: Exchange
        private let ticket: UInt64
        private let cost: LimitCost
        /// It waits for its limit no longer, and then for a place no longer.
        private let until: (limit: MonotonicTime, place: MonotonicTime)
        private var owner: KeyOwner?

        init(_ request: AdmissionRequest, _ exchange: Exchange, _ patience: LimitPatience, _ timeout: Duration?) {
            self.request = request
            self.exchange = exchange
            self.patience = patience
            ticket = patience.gate.nextTicket()
            cost = LimitCost(weight: request.weight, tokens: request.estimatedTokens)
            let deadline = exchange.deadline(limit: patience.settings.current.requestTimeout, asked: timeout)
            // Who is admitted at the last moment could not run any more, and would have spent its limit.
            let half = began + max(deadline - began, .zero) / 2
            until = (min(began + patience.longest, half), min(began + patience.queueMaxWait, deadline))
        }

        private var headers: RequestHeaders { exchange.request.headers }

        /// Goes behind those that wait already.
        /// - Returns: false when none does.
        /// - Throws: `RefusedAtLimit` when that would take too long.
        func follow(_ owner: KeyOwner) throws -> Bool {
            self.owner = owner
            let candidates = owner.subjects(endUser: request.endUser)
            let (answer, refusal) = patience.lines.withLock { lines in
                (lines.follow(ticket, candidates, cost, now: began, until: until.limit), lines.refusal(of: candidates))
            }
            switch answer {
            case .free: return false
            case .waits: return true
            case .tooLong(let wait):
                guard let refusal else { return false }
                throw refusal.told(wait: wait, owner, endUser: request.endUser)
            }
        }

        /// Waits and asks by turns. - Parameter refused: what session said; nil: it was not asked yet.
        func run(after refused: RefusedAtLimit?) async throws -> Admission.Outcome {
            var (refused, questions) = (refused, refused == nil ? 0 : 1)
            do {
                while true {
                    if let refused { try lineUp(refused, questions) }
                    try await pause(refused)
                    questions += 1
                    do {
                        let outcome = try await patience.admission.admit(request, headers, exchange.scope)
                        leave(isAdmitted: true)
                        return outcome
                    } catch let again as RefusedAtLimit where again.isBrief && questions < LimitPatience.maxQuestions {
                        refused = again
                    }
                }
            } catch {
                leave(isAdmitted: false)
                throw error
            }
        }

        private func lineUp(_ refused: RefusedAtLimit, _ questions: Int) throws {
            guard let refusal = refused.brief else { throw refused }
            let now = MonotonicTime.now()
            let wait = refusal.wait ?? Self.pause(questions)
            let (answer, next) = patience.lines.withLock {
                $0.refused(ticket, refusal, cost, wait: wait, now: now, until: until.limit)
            }
            if let next { patience.gate.rouse(next.ticket, at: next.due) }
            if case .tooLong = answer { throw refused }
        }

        /// Waits until it is this request's turn to ask. - Throws: what the client is told when that does not come in time.
        private func pause(_ refused: RefusedAtLimit?) async throws {
            guard let place = exchange.place else { preconditionFailure("bug: a request without a place waits for a limit") }
            let (isFirst, standing) = patience.lines.withLock { ($0.isFirst(ticket), $0.standing(ticket)) }
            let moment = isFirst ? standing?.due ?? until.limit : until.limit
            let flow = patience.admission.flow(headers)
            hasWaited = true
            do {
                try await patience.gate.stepAside(
                    ticket, place, flow, until: moment, deadline: until.place
                ) { exchange.holdsPlace = false }
                exchange.holdsPlace = true
            } catch is EdgeError {
                throw told(refused, standing)
            }
            if !patience.lines.withLock({ $0.isFirst(ticket) }) { throw told(refused, standing) }
        }

        private func told(
            _ refused: RefusedAtLimit?, _ standing: (due: MonotonicTime, refusal: LimitRefusal)?
        ) -> any Error {
            if let refused { return refused }
            guard let standing, let owner else { return CallerLimits().refusal(retryAfter: .seconds(1)) }
            return standing.refusal.told(
                wait: max(standing.due - .now(), .milliseconds(1000)), owner, endUser: request.endUser)
        }

        private func leave(isAdmitted: Bool) {
            let next = patience.lines.withLock { $0.leave(ticket, isAdmitted: isAdmitted, now: .now()) }
            if let next { patience.gate.rouse(next.ticket, at: next.due) }
        }

        /// Longer with every question, and never the same for two requests.
        private static func pause(_ questions: Int) -> Duration {
            let longest = min(LimitPatience.pause.lowerBound * (1 << min(questions, 4)), LimitPatience.pause.upperBound)
            return longest * (0.5 + Double(QuickRandom.next() >> 11) * 0x1p-53 / 2)
        }
    }
}
