import BulkheadAPI
import BulkheadCore
import BulkheadResilience
import NIOCore
import RouterService
import Testing

struct FailoverTests {
    private let loop = ImmediateLoop()
    private let cooldowns = CredentialCooldowns()
    private let breakers = TargetBreakers(.init(failures: 3, minRequests: 100, openFor: .seconds(30)))
    private let first = Target(provider: "a", destination: "a", dialect: .openai, model: "m")
    private let second = Target(provider: "b", destination: "b", dialect: .anthropic, model: "n")

    private let switches = TargetSwitches()
    private let page = LogPage()

    private var failover: Failover {
        Failover(
            breakers: breakers, cooldowns: cooldowns, metrics: RouterMetrics(), eventLoop: loop, switches: switches,
            journal: FailureJournal(logger: page.logger))
    }

    private func route(_ targets: [Target], tries: Int = 2, fallbacks: [Fallback] = [.target], answer: String? = nil) -> Route {
        Route(
            alias: "assistant", targets: targets,
            retry: RetryConfiguration(triesPerTarget: tries, maxTries: 4, base: .milliseconds(10), max: .seconds(2)),
            fallbacks: fallbacks,
            fallbackAnswer: answer)
    }

    private func fails(_ kind: TargetFailure.Kind, retryAfter: Duration? = nil, reason: String = "upstream_error") -> TryOutcome<
        String
    > {
        .failed(TargetFailure(kind, CallError(.unavailable, reason: reason, message: "failed", retryAfter: retryAfter)))
    }

    /// Runs the route; `script` gives each try's outcome. Returns what was tried, and the answer or the failure.
    private func run(
        _ route: Route, _ script: @escaping (Try) -> TryOutcome<String>
    ) async -> (tried: [String], answer: String?, failed: AllFailed?, error: CallError?) {
        var tried: [String] = []
        let deadline = RequestDeadline(caller: .never, total: .seconds(60), now: .now())
        do {
            let plan = Failover.Plan(route, deadline: deadline, clientRetries: 0, requestID: "req_1")
            let answer = try await failover.run(plan) { one in
                tried.append(one.target.provider + "\(one.number)")
                return script(one)
            }
            return (tried, answer, nil, nil)
        } catch let failed as AllFailed {
            return (tried, nil, failed, nil)
        } catch {
            return (tried, nil, nil, error as? CallError)
        }
    }

    @Test("one failure is tried again at the same target, after a wait")
    func retried() async {
        let got = await run(route([first, second])) { $0.number == 1 ? fails(.transient) : .answered("yes") }
        #expect(got.tried == ["a1", "a2"] && got.answer == "yes")
        #expect(loop.asked.count == 1)
    }

    @Test("a target that keeps failing is left for the next one")
    func nextTarget() async {
        let got = await run(route([first, second])) { $0.target.provider == "a" ? fails(.transient) : .answered("yes") }
        #expect(got.tried == ["a1", "a2", "b3"] && got.answer == "yes")
    }

    @Test("a silent target, and one that asks for too long a wait, is tried once")
    func once() async {
        let silent = await run(route([first, second])) { $0.target.provider == "a" ? fails(.silent) : .answered("yes") }
        #expect(silent.tried == ["a1", "b2"])
        let busy = await run(route([first, second])) {
            $0.target.provider == "a" ? fails(.transient, retryAfter: .seconds(60)) : .answered("yes")
        }
        #expect(busy.tried == ["a1", "b2"])
        #expect(loop.asked.isEmpty)
    }

    @Test("the caller's mistake goes nowhere else, and gets no configured answer")
    func mistake() async throws {
        let route = route([first, second], fallbacks: [.target, .answer], answer: "later")
        let got = await run(route) { _ in fails(.callersMistake, reason: "invalid_request") }
        #expect(got.tried == ["a1"] && got.failed?.failure.error.reason == "invalid_request")
        #expect(FallbackAnswer.events(route, try #require(got.failed)) == nil)
    }

    @Test("without fallback to targets only the first one is asked")
    func noFallback() async {
        let got = await run(route([first, second], fallbacks: [])) { _ in fails(.transient) }
        #expect(got.tried == ["a1", "a2"])
    }

    @Test("after the first event nothing else is tried")
    func brokenOff() async {
        let got = await run(route([first, second])) { _ in
            .brokenOff(
                CallError(.dataLoss, reason: "stream_broken", message: "broken"),
                cause: TargetFailure(.transient, CallError(.unavailable, message: "short"), fullText: "the long story"))
        }
        #expect(got.tried == ["a1"] && got.error?.reason == "stream_broken")
        let lines = page.entries
        #expect(lines.count == 1 && lines.first?.message == "an answer broke off")
        let told = lines.first?.metadata ?? [:]
        #expect(told["request"] == "req_1" && told["target"] == "a/m" && told["kind"] == "transient" && told["try"] == "1")
        #expect(told["said"] == "the long story")
        #expect(breakers.all().first?.breaker.state == .closed)
    }

    @Test("an open breaker keeps its target from being asked; when all are open the caller learns how long")
    func breaker() async throws {
        for _ in 0 ..< 3 { _ = await run(route([first], tries: 1)) { _ in fails(.transient) } }
        #expect(breakers.look(first).state == .open)
        let paired = await run(route([first, second])) { _ in .answered("yes") }
        #expect(paired.tried == ["b1"])
        let alone = await run(route([first])) { _ in .answered("yes") }
        let error = try #require(alone.failed?.failure.error)
        #expect(alone.tried.isEmpty && error.code == .unavailable && error.reason == "breaker_open")
        #expect(try #require(error.retryAfter) > .seconds(20) && #require(error.retryAfter) <= Failover.longestBreakerWait)
    }

    @Test("the caller's mistakes and missing credentials never open a breaker")
    func notTheTargetsFault() async {
        for kind in [TargetFailure.Kind.callersMistake, .credentials, .cancelled, .refused, .unsupported] {
            for _ in 0 ..< 10 { _ = await run(route([first], tries: 1)) { _ in fails(kind) } }
        }
        #expect(breakers.look(first).state == .closed)
    }

    @Test("missing credentials cost no try, are named, and lead to the configured answer")
    func credentials() async throws {
        let route = route([first, second], fallbacks: [.target, .answer], answer: "later")
        let got = await run(route) { _ in fails(.credentials, reason: "credentials_unavailable") }
        let failed = try #require(got.failed)
        #expect(failed.tries == 0 && failed.missing == ["credentials"])
        let events = try #require(FallbackAnswer.events(route, failed))
        #expect(events.map(\.kind) == [.start, .text, .finish, .usage])
        #expect(
            events[0].served?.degraded == ["credentials"] && events[0].served?.model == "assistant"
                && events[0].served?.provider == "bulkhead")
        #expect(events[1].text == "later" && events[3].usage?.costNanousd == 0)
    }

    @Test("a destination that the router may not use is told as the operator's fault, not the caller's")
    func misconfigured() async throws {
        let answers = [
            CallError(.notFound, reason: "destination_unknown", message: "there is no destination x for this service"),
            CallError(.permissionDenied, reason: "destination_denied", message: "destination x goes beyond what was sealed"),
        ]
        for answer in answers {
            let got = await run(route([first])) { one in .failed(.exchange(answer, one)) }
            let failure = try #require(got.failed).failure
            #expect(failure.kind == .credentials && failure.outcome == .neutral && failure.fullText == answer.message)
            #expect(failure.error.code == .unavailable && failure.error.reason == "credentials_unavailable")
            #expect(!failure.error.message.contains("x "))
        }
    }

    @Test("an answer by the second target after a missing secret is marked as degraded")
    func degraded() async {
        var marked: [String] = []
        _ = await run(route([first, second])) { one in
            if one.target.provider == "a" { return fails(.credentials, reason: "secret_missing") }
            marked = one.degraded
            return .answered("yes")
        }
        #expect(marked == ["credentials"])
    }

    @Test("a forced breaker stays as the operator wants it")
    func forced() async {
        breakers.force(first.label, open: true, now: .now())
        #expect(await run(route([first])) { _ in .answered("yes") }.tried.isEmpty)
        breakers.force(first.label, open: nil, now: .now())
        #expect(await run(route([first])) { _ in .answered("yes") }.answer == "yes")
    }

    @Test(
        "a target that is switched off is not asked; when all are the caller learns who can help, and the fallback answer is given"
    )
    func disabled() async throws {
        _ = try switches.set(first.label, disabled: true)
        #expect(await run(route([first, second])) { _ in .answered("yes") }.tried == ["b1"])
        let busy = await run(route([first, second])) { _ in fails(.transient) }
        #expect(busy.failed?.failure.error.reason == "upstream_error")
        _ = try switches.set(second.label, disabled: true)
        let route = route([first, second], fallbacks: [.target, .answer], answer: "later")
        let failed = try #require(await run(route) { _ in .answered("yes") }.failed)
        #expect(failed.failure.error.code == .unavailable && failed.failure.error.reason == "target_disabled")
        #expect(failed.failure.error.message.contains("bulkhead-router target enable a/m"))
        #expect(FallbackAnswer.events(route, failed)?.first?.served?.degraded == ["a", "b"])
        _ = try switches.set(first.label, disabled: false)
        #expect(await run(route) { _ in .answered("yes") }.tried == ["a1"])
    }

    private func failing(_ kind: TargetFailure.Kind, _ contexts: [String: Int], _ route: Route) async -> [String] {
        let catalog = ModelCatalog(
            overrides: contexts.map { ModelOverride(model: $0.key, facts: ModelFacts(contextWindow: $0.value)) })
        let progress = TryProgress()
        var tried: [String] = []
        let plan = Failover.Plan(
            route, deadline: RequestDeadline(caller: .never, total: .seconds(60), now: .now()), clientRetries: 0,
            catalog: catalog,
            requestID: "req_1")
        let answer = try? await failover.run(plan, route.targets[...], progress) { one -> TryOutcome<String> in
            tried.append(one.target.model)
            return one.number == 1 ? fails(kind, reason: "context_length_exceeded") : .answered("yes")
        }
        return tried + [answer.flatMap { $0 } ?? progress.allFailed.failure.error.reason]
    }

    @Test("a request that is too long goes to a larger context only")
    func largerContext() async {
        let targets = ["tiny", "same", "unknown", "large"].map {
            Target(provider: "a", destination: "a", dialect: .openai, model: $0)
        }
        let contexts = ["tiny": 1000, "same": 1000, "large": 2000]
        #expect(await failing(.tooLong, contexts, route(targets)) == ["tiny", "large", "yes"])
        #expect(await failing(.tooLong, contexts, route(Array(targets.prefix(3)))) == ["tiny", "context_length_exceeded"])
    }

    @Test("an account that refused its secret twice is left alone with all of its models, and asked again by one real request")
    func badCredential() async {
        let sibling = Target(provider: "a2", destination: "a", dialect: .openai, model: "other")
        let got = await run(route([first, sibling, first, second])) {
            $0.target.destination == "a" ? fails(.badCredential, reason: "upstream_auth") : .answered("yes")
        }
        #expect(got.tried == ["a1", "a22", "b3"], "after the second refusal no model of the account is asked")
        #expect(cooldowns.all().map(\.name) == ["a"] && cooldowns.all().first?.breaker.state == .open)
        #expect(breakers.look(first).state == .closed)
        let alone = await run(route([first])) { _ in .answered("yes") }
        #expect(alone.tried.isEmpty && alone.failed?.failure.error.retryAfter ?? .seconds(99) <= .seconds(10))
        #expect(cooldowns.force("a", open: false, now: .now()))
        #expect(await run(route([first])) { _ in .answered("yes") }.answer == "yes")
    }

    @Test("a single refusal keeps nobody away, and an answer after it takes it back")
    func oneRefusal() async {
        for _ in 1 ... 3 {
            let refused = await run(route([first])) { _ in fails(.badCredential, reason: "upstream_auth") }
            #expect(refused.tried == ["a1"])
            #expect(await run(route([first])) { _ in .answered("yes") }.answer == "yes")
        }
    }

    @Test("tries that were made are final, a refusal without a try is not")
    func isFinal() async throws {
        let failed = await run(route([first])) { _ in fails(.transient) }
        #expect(try #require(failed.failed).isFinal)
        breakers.force(first.label, open: true, now: .now())
        #expect(try #require(await run(route([first])) { _ in fails(.transient) }.failed).isFinal == false)
    }
}
