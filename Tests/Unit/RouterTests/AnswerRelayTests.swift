import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

struct AnswerRelayTests {
    /// What the caller got. Confined to one test.
    private final class Caller {
        var events: [ChatAPI.ChatEvent] = []
        var batches = 0
        var isGone = false
        var text: String { events.map(\.text).joined() }
        func take(_ new: [ChatAPI.ChatEvent]) throws {
            if isGone { throw CallError(.cancelled, message: "gone") }
            events += new
            batches += 1
        }
    }

    private let caller = Caller()
    private let watchdog = Watchdog(eventLoop: ImmediateLoop(), limit: .seconds(60))
    private let first = Target(provider: "a", destination: "a", dialect: .openai, model: "m")
    private let second = Target(provider: "b", destination: "b", dialect: .anthropic, model: "n")
    private let chat = ChatAPI.ChatRequest(
        model: "assistant", messages: [.init(role: .user, parts: [.init(kind: .text, text: "hello")])], stream: true)

    private func relay(
        _ policy: StreamBreakPolicy, _ delivery: AnswerRelay.Delivery = .live, keeps: Bool = false
    ) -> AnswerRelay {
        AnswerRelay(delivery, policy, keeps: keeps) { try caller.take($0) }
    }

    private func deliver(_ relay: AnswerRelay, _ target: Target, _ texts: String..., finish: Bool = false) async throws {
        for text in texts {
            _ = try await relay.deliver([.init(kind: .text, text: text)], target, watchdog) { served(target, 1) }
        }
        guard finish else { return }
        let end = ChatAPI.ChatEvent(kind: .finish, finish: .stop)
        _ = try await relay.deliver([end], target, watchdog) { served(target, 1) }
    }

    private func served(_ target: Target, _ attempts: Int) -> ChatAPI.Served {
        .init(provider: target.provider, model: target.model, attempts: attempts)
    }

    private func usage(_ input: Int, _ output: Int, _ cost: Int?) -> ChatAPI.Usage {
        .init(inputTokens: input, outputTokens: output, costNanousd: cost)
    }

    @Test("a live answer reaches the caller as it comes, after its START; pings open nothing")
    func live() async throws {
        let relay = relay(.error)
        _ = relay.begin(chat, at: first, ModelFacts())
        let ping = try await relay.deliver([.init(kind: .keepalive)], first, watchdog) { served(first, 1) }
        #expect(!ping && !relay.isShown && caller.events.isEmpty)
        try await deliver(relay, first, "a", "b", finish: true)
        try await relay.complete(usage(1, 2, 3), last: served(first, 1), watchdog)
        #expect(caller.events.map(\.kind) == [.start, .text, .text, .finish, .usage] && caller.text == "ab")
    }

    @Test("an answer that is delivered whole shows nothing of a try that broke off")
    func whole() async throws {
        let relay = relay(.buffer, .whole, keeps: true)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, "lost")
        relay.spend(usage(10, 1, 100))
        #expect(caller.events.isEmpty && relay.canGoOn)
        _ = relay.begin(chat, at: second, ModelFacts())
        try await deliver(relay, second, "found", finish: true)
        try await relay.complete(usage(10, 2, 50), last: served(second, 2), watchdog)
        #expect(caller.text == "found" && caller.events.first?.served?.provider == "b")
        #expect(caller.events.last?.usage == usage(10, 2, 150), "both tries are paid for, the answer has its own tokens")
        #expect(relay.kept.count == 4)
    }

    @Test("replay asks anew and appends what the caller does not have; START and id stay those of the first")
    func replay() async throws {
        let relay = relay(.replay)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, "Hello wo")
        relay.spend(usage(10, 2, 100))
        #expect(relay.canGoOn)
        #expect(relay.begin(chat, at: second, ModelFacts()) == chat)
        try await deliver(relay, second, "Hello ", "world", finish: true)
        try await relay.complete(usage(10, 3, 50), last: served(second, 2), watchdog)
        #expect(caller.text == "Hello world" && caller.events.filter { $0.kind == .start }.count == 1)
        #expect(caller.events.last?.usage == usage(10, 3, 150) && caller.events.last?.served?.provider == "b")
    }

    @Test("a second answer that differs is never glued to the first")
    func diverged() async throws {
        let relay = relay(.replay)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, "Hello")
        _ = relay.begin(chat, at: second, ModelFacts())
        await #expect(throws: Diverged.self) { try await deliver(relay, second, "Goodbye") }
        #expect(caller.text == "Hello")
    }

    @Test("continue gives the model the shown text without its last blanks, and drops them from what follows")
    func continues() async throws {
        let relay = relay(.continue)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, "One two \n")
        relay.spend(usage(10, 2, 100))
        let begun = relay.begin(chat, at: second, ModelFacts())
        #expect(relay.isContinuing)
        #expect(begun.messages.last == .init(role: .assistant, parts: [.init(kind: .text, text: "One two")]))
        try await deliver(relay, second, " ", "\nthree", " four", finish: true)
        try await relay.complete(usage(12, 2, 50), last: served(second, 2), watchdog)
        #expect(caller.text == "One two \nthree four")
        #expect(caller.events.last?.usage == usage(12, 4, 150), "the answer has the tokens of both parts")
    }

    @Test("continue replays where the model takes no begun answer: by its facts, by its refusal, after a tool call")
    func noPrefill() async throws {
        let relay = relay(.continue)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, "One")
        #expect(relay.begin(chat, at: second, ModelFacts(takesPrefill: false)) == chat && !relay.isContinuing)
        #expect(relay.begin(chat, at: first, ModelFacts()) == chat, "OpenAI's models take none")
        #expect(relay.begin(chat, at: second, ModelFacts()) != chat)
        relay.refusePrefill(second)
        #expect(relay.begin(chat, at: second, ModelFacts()) == chat)
        let call = ChatAPI.ChatEvent(kind: .toolCall, id: "1", name: "f")
        _ = try await relay.deliver([.init(kind: .text, text: "One"), call], second, watchdog) { served(second, 2) }
        #expect(
            relay.begin(chat, at: Target(provider: "c", destination: "c", dialect: .anthropic, model: "n"), ModelFacts()) == chat)
    }

    @Test("nothing follows a shown answer under the policy error, nor after a part only one dialect knows")
    func ends() async throws {
        let error = relay(.error)
        _ = error.begin(chat, at: first, ModelFacts())
        #expect(error.canGoOn)
        try await deliver(error, first, "a")
        #expect(!error.canGoOn)
        let raw = relay(.replay)
        _ = raw.begin(chat, at: first, ModelFacts())
        _ = try await raw.deliver([.init(kind: .rawBlock, json: "{}")], first, watchdog) { served(first, 1) }
        #expect(!raw.canGoOn)
    }

    @Test("a caller that cannot be written to ends everything")
    func callerLeft() async {
        let relay = relay(.replay)
        _ = relay.begin(chat, at: first, ModelFacts())
        caller.isGone = true
        await #expect(throws: CallError.self) { try await deliver(relay, first, "a") }
        #expect(relay.callersError?.code == .cancelled && !relay.canGoOn)
    }

    @Test(
        "an answer is over when the caller has its end, and not before: else nobody would tell what it cost",
        arguments: [false, true])
    func leftAtTheEnd(isWhole: Bool) async throws {
        let relay = relay(.error, isWhole ? .whole : .live)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, "all of it", finish: true)
        caller.isGone = true
        await #expect(throws: CallError.self) { try await relay.complete(usage(1, 2, 3), last: served(first, 1), watchdog) }
        #expect(!relay.isOver && relay.callersError != nil)
    }

    @Test("what is too large to be replayed is passed on and not kept")
    func large() async throws {
        let relay = relay(.replay, keeps: true)
        _ = relay.begin(chat, at: first, ModelFacts())
        try await deliver(relay, first, String(repeating: "x", count: AnswerCollector.cacheLimit + 1))
        #expect(!relay.canGoOn && relay.kept.isEmpty && caller.text.utf8.count == AnswerCollector.cacheLimit + 1)
    }

    @Test("an unknown price makes the sum unknown, not smaller")
    func unknownPrice() {
        var spent = SpentUsage()
        spent.add(usage(1, 1, nil))
        #expect(spent.total(with: usage(1, 1, 5)).costNanousd == nil && spent.wasted?.costNanousd == nil)
    }
}
