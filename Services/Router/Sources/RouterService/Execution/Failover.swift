import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import NIOCore

/// When a request is over, and whose wish that is.
package struct RequestDeadline: Sendable, Equatable {
    package let time: MonotonicTime
    /// The route's own limit; otherwise the caller gave less time, and running out of it says nothing about a provider.
    package let isRoutes: Bool

    /// The nearer of the route's total and what the caller's deadline leaves when there must be time to tell it the end.
    package init(caller: MonotonicTime, total: Duration, now: MonotonicTime) {
        let left = DeadlineBudget(deadline: caller).child(now: now) ?? now
        isRoutes = now + total <= left
        time = min(left, now + total)
    }
}

/// One try at one target.
package final class Try: Sendable {
    package let route: Route
    package let target: Target
    /// This try's number over all targets, from 1.
    package let number: Int
    /// When the whole request is over.
    package let deadline: RequestDeadline
    /// Services that were missing on the way here.
    package let degraded: [String]

    fileprivate init(_ plan: Failover.Plan, _ target: Target, _ progress: TryProgress) {
        route = plan.route
        self.target = target
        number = progress.tries
        deadline = plan.deadline
        degraded = progress.degraded
    }
}

/// How one try ended.
package enum TryOutcome<Value: Sendable>: Sendable {
    case answered(Value)
    /// Nothing reached the caller: something else may be tried.
    indirect case failed(TargetFailure)
    /// Part of the answer reached the caller: nothing else may be tried. What the caller is told, and why.
    indirect case brokenOff(CallError, cause: TargetFailure)
}

/// No target gave an answer.
package struct AllFailed: Error, Sendable {
    /// What to tell the caller.
    package let failure: TargetFailure
    /// Upstream tries made.
    package let tries: Int
    /// What was missing: `credentials`, or the providers that failed.
    package let missing: [String]
    /// The request's tries are used up, or it is of no use to repeat it: the client should not.
    package let isFinal: Bool
    /// Who failed last.
    package let target: Target?

    /// What the caller is told, with what it should know besides.
    package var told: CallError { told(failure.error, isFinal: isFinal) }

    /// `error` with what the caller should know besides. - Parameter wasted: what answers that broke off have cost.
    package func told(_ error: CallError, isFinal: Bool, wasted: ChatAPI.Usage? = nil) -> CallError {
        var error = error
        let detail = RouterAPI.FailureDetail(
            providerCode: failure.providerCode.isEmpty ? nil : failure.providerCode, final: isFinal, provider: target?.provider,
            model: target?.model, attempts: tries, usage: wasted,
            outcomeUnknown: failure.isOutcomeUnknown)
        if let bytes = try? detail.encoded() { error.detail = Array(bytes.readableBytesView) }
        return error
    }
}

/// What the tries of one request came to so far. Confined to the task of its call.
package final class TryProgress {
    fileprivate var tries = 0
    fileprivate var failure: TargetFailure?
    fileprivate var failed: Target?
    /// The shortest wait of what was left alone: breakers, accounts.
    fileprivate var wait: Duration?
    /// An account that is left alone, and why.
    fileprivate var account: (provider: String, cause: CredentialCooldowns.Cause)?
    /// A breaker was open.
    fileprivate var isBreakerOpen = false
    /// Targets that were not asked because the operator switched them off.
    fileprivate var disabled: [String] = []
    fileprivate var missing: [String] = []
    /// Nothing else is to be tried.
    fileprivate var isOver = false
    /// The context that was too small.
    fileprivate var contextAbove: Int?

    package init() {}

    fileprivate var degraded: [String] { missing.contains("credentials") ? ["credentials"] : [] }

    /// The target is not asked.
    package func skip(_ target: Target, _ hindrance: Hindrance) {
        if !missing.contains(target.provider) { missing.append(target.provider) }
        switch hindrance {
        case .disabled: disabled.append(target.label)
        case .account(let refusal):
            wait = min(wait ?? refusal.wait, refusal.wait)
            account = (target.provider, refusal.cause)
        case .breaker(let probe):
            wait = min(wait ?? probe, probe)
            isBreakerOpen = true
        }
    }

    fileprivate func note(_ failure: TargetFailure, _ target: Target) {
        let name = failure.kind == .credentials ? "credentials" : target.provider
        if !missing.contains(name) { missing.append(name) }
        // What a target cannot do is the least useful thing to say when another one failed for real.
        if failure.kind != .unsupported || self.failure == nil {
            self.failure = failure
            failed = target
        }
    }

    package var allFailed: AllFailed {
        if let failure {
            return AllFailed(failure: failure, tries: tries, missing: missing, isFinal: tries > 0, target: failed)
        }
        let failure =
            wait == nil && !disabled.isEmpty
            ? TargetFailure.disabled(disabled) : TargetFailure(.transient, leftAlone(wait ?? .seconds(1)))
        return AllFailed(failure: failure, tries: tries, missing: missing, isFinal: false, target: nil)
    }

    private func leftAlone(_ wait: Duration) -> CallError {
        let wait = min(wait, Failover.longestBreakerWait)
        return CallError(
            .unavailable, reason: "breaker_open",
            message: "\(whyLeftAlone): try again in \(max(1, Int((wait.milliseconds / 1000).rounded(.up)))) s.", retryAfter: wait)
    }

    private var whyLeftAlone: String {
        guard let account, !isBreakerOpen else {
            return "Every provider of this model failed repeatedly and is left alone for a while"
        }
        switch account.cause {
        case .credential: return "The provider '\(account.provider)' refused the stored secret and is left alone for a while"
        case .quota: return "The account at the provider '\(account.provider)' has no credit left and is left alone for a while"
        }
    }
}

/// Tries targets in order until one answers, within one deadline and one budget of tries.
package final class Failover: Sendable {
    package let breakers: TargetBreakers
    package let cooldowns: CredentialCooldowns
    package let metrics: RouterMetrics
    package let eventLoop: any EventLoop
    /// What the operator switched off.
    package let switches: TargetSwitches
    /// Where failed tries are written down; nil: nowhere.
    package let journal: FailureJournal?

    package init(
        breakers: TargetBreakers, cooldowns: CredentialCooldowns = CredentialCooldowns(), metrics: RouterMetrics,
        eventLoop: any EventLoop, switches: TargetSwitches = TargetSwitches(), journal: FailureJournal? = nil
    ) {
        self.breakers = breakers
        self.cooldowns = cooldowns
        self.metrics = metrics
        self.eventLoop = eventLoop
        self.switches = switches
        self.journal = journal
    }

    /// The context of a model that nobody knows, tokens: what servers of one's own are usually started with, or less.
    private static let assumedContext = 32_768

    /// Longest Retry-After while breakers are open.
    package static let longestBreakerWait = Duration.seconds(60)

    /// The same for all tries of a request.
    package final class Plan: Sendable {
        package let route: Route
        package let deadline: RequestDeadline
        package let policy: RetryPolicy
        package let catalog: ModelCatalog
        /// For the log.
        package let requestID: String

        /// - Parameter clientRetries: how often the client's SDK has tried before.
        package init(
            _ route: Route, deadline: RequestDeadline, clientRetries: Int, catalog: ModelCatalog = .builtin,
            requestID: String
        ) {
            self.route = route
            self.catalog = catalog
            self.requestID = requestID
            self.deadline = deadline
            policy = RetryPolicy(route.retry, targets: route.targets.count, clientRetries: clientRetries)
        }
    }

    /// All targets of the plan's route.
    /// - Throws: `AllFailed`; `CallError` when a try broke off after its first event.
    package func run<Value: Sendable>(_ plan: Plan, _ attempt: (Try) async -> TryOutcome<Value>) async throws -> Value {
        let progress = TryProgress()
        if let value = try await run(plan, plan.route.targets[...], progress, attempt) { return value }
        throw progress.allFailed
    }

    /// Some targets of a route, after what was tried before.
    /// - Returns: nil when none of them answered; `progress` says why.
    /// - Throws: `CallError` when a try broke off after its first event.
    package func run<Value: Sendable>(
        _ plan: Plan, _ targets: ArraySlice<Target>, _ progress: TryProgress, _ attempt: (Try) async -> TryOutcome<Value>
    ) async throws -> Value? {
        for target in targets where !progress.isOver && isLargeEnough(target, plan.catalog, progress) {
            if progress.tries > 0 { metrics.fallbacks.add() }
            if let value = try await runTarget(target, plan, progress, attempt) { return value }
            if !plan.route.fallbacks.contains(.target) { progress.isOver = true }
        }
        return nil
    }

    /// After a context that was too small only a larger one will do.
    private func isLargeEnough(_ target: Target, _ catalog: ModelCatalog, _ progress: TryProgress) -> Bool {
        progress.contextAbove.map { Self.isLarger(target, than: $0, catalog) } ?? true
    }

    /// Whether the context of `target` is known to be larger than one of so many tokens.
    package static func isLarger(_ target: Target, than context: Int, _ catalog: ModelCatalog) -> Bool {
        catalog.facts(target.model).contextWindow.map { $0 > context } ?? false
    }

    /// The context that a request is too long for when `target` says so.
    package static func context(of target: Target, _ catalog: ModelCatalog) -> Int {
        catalog.facts(target.model).contextWindow ?? assumedContext
    }

    private var gate: TargetGate { TargetGate(breakers: breakers, cooldowns: cooldowns, switches: switches) }

    /// Leave to make one try; must be ended.
    private final class Leave: Sendable {
        let one: Try
        let permit: TargetGate.Permit
        let began: MonotonicTime

        init(_ one: Try, _ permit: TargetGate.Permit, began: MonotonicTime) {
            self.one = one
            self.permit = permit
            self.began = began
        }
    }

    /// - Returns: nil when the target is to be left alone now.
    @inline(never)
    private func begin(_ target: Target, _ plan: Plan, _ progress: TryProgress) -> Leave? {
        switch gate.admit(target, now: .now()) {
        case .success(let permit):
            progress.tries += 1
            return Leave(Try(plan, target, progress), permit, began: .now())
        case .failure(let hindrance):
            progress.skip(target, hindrance)
            return nil
        }
    }

    private func runTarget<Value: Sendable>(
        _ target: Target, _ plan: Plan, _ progress: TryProgress, _ attempt: (Try) async -> TryOutcome<Value>
    ) async throws -> Value? {
        var triesOfTarget = 0
        while let leave = begin(target, plan, progress) {
            triesOfTarget += 1
            let outcome = await attempt(leave.one)
            let wait = try end(leave, outcome, triesOfTarget, plan, progress)
            if case .answered(let value) = outcome { return value }
            guard let wait else { return nil }
            metrics.retries.add()
            try await eventLoop.sleep(wait)
        }
        return nil
    }

    /// Writes down how a try ended.
    /// - Returns: the wait before the same target is tried again; nil when it is not.
    /// - Throws: the error of an answer that broke off.
    @inline(never)
    private func end<Value: Sendable>(
        _ leave: Leave, _ outcome: TryOutcome<Value>, _ triesOfTarget: Int, _ plan: Plan, _ progress: TryProgress
    ) throws -> Duration? {
        let now = MonotonicTime.now()
        let target = leave.one.target
        metrics.attempt(target, outcome, took: now - leave.began)
        switch outcome {
        case .answered:
            breakers.record(target, leave.permit.breaker, .success, now: now)
            cooldowns.record(target.destination, leave.permit.account, nil, now: now)
            return nil
        case .brokenOff(let error, let cause):
            breakers.record(target, leave.permit.breaker, cause.outcome, now: now)
            cooldowns.record(target.destination, leave.permit.account, cause, now: now)
            progress.failed = target
            let place = FailureJournal.Place(plan.requestID, try: leave.one.number, isBroken: true)
            journal?.note(cause, target, place, now: now)
            throw error
        case .failed(let failure):
            breakers.record(target, leave.permit.breaker, failure.outcome, now: now)
            cooldowns.record(target.destination, leave.permit.account, failure, now: now)
            if failure.kind == .credentials || failure.kind == .unsupported { progress.tries -= 1 }
            progress.note(failure, target)
            journal?.note(failure, target, .init(plan.requestID, try: leave.one.number), now: now)
            return next(after: failure, target, triesOfTarget, plan, progress, now: now)
        }
    }

    /// - Returns: the wait before the same target is tried again; nil when it is not.
    private func next(
        after failure: TargetFailure, _ target: Target, _ triesOfTarget: Int, _ plan: Plan, _ progress: TryProgress,
        now: MonotonicTime
    ) -> Duration? {
        let step = plan.policy.step(
            after: failure, tries: (triesOfTarget, progress.tries), now: now, deadline: plan.deadline.time,
            jitter: .random(in: 0 ..< 1))
        switch step {
        case .again(let wait): return wait
        case .nextTarget: return nil
        case .largerContext:
            progress.contextAbove = max(progress.contextAbove ?? 0, Self.context(of: target, plan.catalog))
        case .giveUp: progress.isOver = true
        }
        return nil
    }
}
