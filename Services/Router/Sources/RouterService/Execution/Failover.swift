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
    /// Part of the answer reached the caller: nothing else may be tried.
    indirect case brokenOff(CallError, CircuitBreaker.Outcome)
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
            model: target?.model, attempts: tries, usage: wasted)
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

    fileprivate func skip(_ target: Target, wait: Duration) {
        self.wait = min(self.wait ?? wait, wait)
        if !missing.contains(target.provider) { missing.append(target.provider) }
    }

    fileprivate func skip(_ target: Target) {
        disabled.append(target.label)
        if !missing.contains(target.provider) { missing.append(target.provider) }
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
            requestID: String = ""
        ) {
            self.route = route
            self.catalog = catalog
            self.requestID = requestID
            self.deadline = deadline
            policy = RetryPolicy(route.retry, targets: route.targets.count, clientRetries: clientRetries)
        }
    }

    /// All targets of a route.
    /// - Throws: `AllFailed`; `CallError` when a try broke off after its first event.
    package func run<Value: Sendable>(
        _ route: Route, deadline: RequestDeadline, clientRetries: Int, _ attempt: (Try) async -> TryOutcome<Value>
    ) async throws -> Value {
        let progress = TryProgress()
        let plan = Plan(route, deadline: deadline, clientRetries: clientRetries)
        if let value = try await run(plan, route.targets[...], progress, attempt) { return value }
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
        guard let least = progress.contextAbove else { return true }
        return catalog.facts(target.model).contextWindow.map { $0 > least } ?? false
    }

    /// Leave to make one try; must be ended.
    private final class Leave: Sendable {
        let one: Try
        let breaker: CircuitBreaker.Permit
        let account: CredentialCooldowns.Permit
        let began: MonotonicTime

        init(_ one: Try, _ breaker: CircuitBreaker.Permit, _ account: CredentialCooldowns.Permit, began: MonotonicTime) {
            self.one = one
            self.breaker = breaker
            self.account = account
            self.began = began
        }
    }

    /// - Returns: nil when the target is to be left alone now.
    @inline(never)
    private func begin(_ target: Target, _ plan: Plan, _ progress: TryProgress) -> Leave? {
        let now = MonotonicTime.now()
        let account: CredentialCooldowns.Permit
        switch cooldowns.admit(target.destination, now: now) {
        case .failure(let refusal):
            progress.skip(target, wait: refusal.wait)
            progress.account = (target.provider, refusal.cause)
            return nil
        case .success(let permit): account = permit
        }
        switch breakers.admit(target, now: now) {
        case .permit(let permit):
            progress.tries += 1
            return Leave(Try(plan, target, progress), permit, account, began: .now())
        case .rejected(let wait):
            // The account's probe was not used: it goes back without a verdict.
            cooldowns.record(target.destination, account, .unused, now: now)
            progress.skip(target, wait: wait)
            progress.isBreakerOpen = true
            return nil
        }
    }

    private func runTarget<Value: Sendable>(
        _ target: Target, _ plan: Plan, _ progress: TryProgress, _ attempt: (Try) async -> TryOutcome<Value>
    ) async throws -> Value? {
        if switches.isDisabled(target.label) {
            progress.skip(target)
            return nil
        }
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
            breakers.record(target, leave.breaker, .success, now: now)
            cooldowns.record(target.destination, leave.account, nil, now: now)
            return nil
        case .brokenOff(let error, let verdict):
            breakers.record(target, leave.breaker, verdict, now: now)
            progress.failed = target
            if verdict == .failure {
                let broken = TargetFailure(.broken, error)
                journal?.note(broken, target, requestID: plan.requestID, number: leave.one.number, now: now)
            }
            cooldowns.record(target.destination, leave.account, .unused, now: now)
            throw error
        case .failed(let failure):
            breakers.record(target, leave.breaker, failure.outcome, now: now)
            cooldowns.record(target.destination, leave.account, failure, now: now)
            if failure.kind == .credentials || failure.kind == .unsupported { progress.tries -= 1 }
            progress.note(failure, target)
            journal?.note(failure, target, requestID: plan.requestID, number: leave.one.number, now: now)
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
            progress.contextAbove = max(
                progress.contextAbove ?? 0, plan.catalog.facts(target.model).contextWindow ?? Self.assumedContext)
        case .giveUp: progress.isOver = true
        }
        return nil
    }
}

extension TargetFailure {
    /// The leave to ask was not used.
    fileprivate static let unused = TargetFailure(.cancelled, CallError(.cancelled, message: "nothing was asked"))
}
