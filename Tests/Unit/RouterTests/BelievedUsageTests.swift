import BulkheadAPI
import BulkheadCore
import BulkheadObservability
import Logging
import RouterService
import Testing

struct BelievedUsageTests {
    private let accounting = Accounting(
        catalog: .builtin, counter: TokenCounter(),
        unpriced: UnknownPrices(registry: MetricsRegistry(service: "router"), logger: Logger(label: "test")))
    private let target = Target(provider: "a", destination: "a", dialect: .openai, model: "gpt-5")
    private let chat = ChatAPI.ChatRequest(
        model: "m", messages: [.init(role: .user, parts: [.init(kind: .text, text: "four words of text")])])

    private func usage(_ input: Int, _ output: Int) -> ChatAPI.Usage {
        let answer = AnswerText([.init(kind: .text, text: "fine"), .init(kind: .finish, finish: .stop)])
        return accounting.usage(
            reported: .init(inputTokens: input, outputTokens: output), for: chat, answer: answer, target: target)
    }

    @Test("a report no model could have is not believed: it would lock a tenant out of its limits")
    func absurd() {
        for (input, output) in [(1 << 40, 5), (5, 1 << 40), (20_000_000, 1)] {
            let told = usage(input, output)
            #expect(told.estimated && told.inputTokens < 100 && told.outputTokens < 100, "\(input) \(output) became \(told)")
        }
    }

    @Test("a large but possible report is charged as it is")
    func possible() {
        let told = usage(2_000_000, 128_000)
        #expect(!told.estimated && told.inputTokens == 2_000_000 && told.outputTokens == 128_000)
    }

    @Test("an account opens again when its provider begins to answer, not when the answer ends")
    func accepted() {
        let cooldowns = CredentialCooldowns()
        let start = MonotonicTime(nanoseconds: 1_000_000_000)
        guard case .success(let permit) = cooldowns.admit("a", now: start) else {
            Issue.record("closed from the start")
            return
        }
        for _ in 1 ... 2 {
            cooldowns.record("a", permit, TargetFailure(.badCredential, CallError(.unavailable, message: "")), now: start)
        }
        cooldowns.accepted("a")
        let early = start + .seconds(1)
        if case .success = cooldowns.admit("a", now: early) { Issue.record("an answer from before opened the account") }
        let later = start + .seconds(10)
        guard case .success = cooldowns.admit("a", now: later) else {
            Issue.record("no probe after the cooldown")
            return
        }
        if case .success = cooldowns.admit("a", now: later) { Issue.record("a second request beside the probe") }
        cooldowns.accepted("a")
        guard case .success = cooldowns.admit("a", now: later) else {
            Issue.record("still closed")
            return
        }
    }

    @Test("leave to ask an account that is not used gives its place back")
    func unusedLeave() {
        let cooldowns = CredentialCooldowns()
        let start = MonotonicTime(nanoseconds: 1_000_000_000)
        func record(_ kind: TargetFailure.Kind, _ now: MonotonicTime) {
            guard case .success(let permit) = cooldowns.admit("a", now: now) else { return }
            cooldowns.record("a", permit, TargetFailure(kind, CallError(.unavailable, message: "")), now: now)
        }
        record(.badCredential, start)
        record(.outOfQuota, start + .seconds(10))
        // The credential's time is over, the quota's is not: asking takes no place of the credential's probe.
        for second in 20 ..< 40 {
            guard case .failure(let refusal) = cooldowns.admit("a", now: start + .seconds(second)) else {
                Issue.record("admitted after \(second) s")
                continue
            }
            #expect(refusal.cause == .quota && refusal.wait > .seconds(10), "after \(second) s: \(refusal)")
        }
    }
}
