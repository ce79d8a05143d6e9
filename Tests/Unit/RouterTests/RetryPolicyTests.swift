import BulkheadCore
import RouterService
import Testing

struct RetryPolicyTests {
    private let now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private let configuration = RetryConfiguration(
        triesPerTarget: 2, maxTries: 4, base: .milliseconds(100), max: .seconds(2))

    private func step(
        _ kind: TargetFailure.Kind, tries: (Int, Int) = (1, 1), retryAfter: Duration? = nil, left: Duration = .seconds(60),
        jitter: Double = 0.5, clientRetries: Int = 0, targets: Int = 2
    ) -> RetryPolicy.Step {
        let failure = TargetFailure(kind, CallError(.unavailable, message: "", retryAfter: retryAfter))
        return RetryPolicy(configuration, targets: targets, clientRetries: clientRetries).step(
            after: failure, tries: (tries.0, tries.1), now: now, deadline: now + left, jitter: jitter)
    }

    @Test("what may pass is tried again after a random part of the backoff")
    func again() {
        #expect(step(.transient, jitter: 0.5) == .again(after: .milliseconds(50)))
        #expect(step(.transient, jitter: 0) == .again(after: .zero))
    }

    @Test("the backoff doubles and is bounded")
    func backoff() {
        let policy = RetryPolicy(
            RetryConfiguration(triesPerTarget: 20, maxTries: 100, base: .milliseconds(100), max: .seconds(2)), targets: 1,
            clientRetries: 0)
        let failure = TargetFailure(.transient, CallError(.unavailable, message: ""))
        let waits = (1 ... 8).map { policy.step(after: failure, tries: ($0, $0), now: now, deadline: .never, jitter: 0.5) }
        let expected = [50, 100, 200, 400, 800, 1000, 1000, 1000].map { RetryPolicy.Step.again(after: .milliseconds($0)) }
        #expect(waits == expected)
    }

    @Test("a Retry-After is waited for, unless it is too long or beyond the deadline")
    func retryAfter() {
        #expect(step(.transient, retryAfter: .seconds(1)) == .again(after: .seconds(1)))
        #expect(step(.transient, retryAfter: .seconds(3)) == .nextTarget)
        #expect(step(.transient, retryAfter: .seconds(1), left: .milliseconds(900)) == .nextTarget)
    }

    @Test("a target is left after its tries, and the route after all of its tries")
    func bounds() {
        #expect(step(.transient, tries: (2, 2)) == .nextTarget)
        #expect(step(.transient, tries: (1, 4)) == .giveUp)
        #expect(step(.silent, tries: (1, 4)) == .giveUp)
    }

    @Test(
        "what would cost the same again, or cannot help, goes to the next target",
        arguments: [TargetFailure.Kind.silent, .broken, .refused, .unsupported, .credentials])
    func next(kind: TargetFailure.Kind) {
        #expect(step(kind) == .nextTarget)
    }

    @Test("the caller's own end is the end", arguments: [TargetFailure.Kind.callersMistake, .outOfTime, .cancelled])
    func end(kind: TargetFailure.Kind) {
        #expect(step(kind) == .giveUp)
    }

    @Test("retries of the client's SDK use up ours, but every target keeps a try")
    func clientRetries() {
        #expect(step(.transient, clientRetries: 1) == .nextTarget)
        #expect(step(.transient, tries: (1, 1), clientRetries: 9) == .nextTarget)
        #expect(step(.transient, tries: (1, 2), clientRetries: 9) == .giveUp)
    }

    @Test("the caller's mistakes never count against a target, its failures do")
    func outcomes() {
        let outcomes = TargetFailure.Kind.allCases.map { ($0, TargetFailure($0, CallError(.unavailable, message: "")).outcome) }
        let failures = outcomes.filter { $0.1 == .failure }.map(\.0)
        #expect(Set(failures) == [.transient, .silent, .broken])
    }
}
