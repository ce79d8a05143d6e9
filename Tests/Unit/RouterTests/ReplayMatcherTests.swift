import BulkheadAPI
import RouterService
import Testing

struct ReplayMatcherTests {
    private func text(_ text: String, choice: Int = 0) -> ChatAPI.ChatEvent { .init(kind: .text, choice: choice, text: text) }

    /// What is left of `second` after `shown`, joined; nil when it diverges.
    private func rest(_ shown: [ChatAPI.ChatEvent], _ second: [ChatAPI.ChatEvent]) -> [ChatAPI.ChatEvent]? {
        var matcher = ReplayMatcher(shown)
        var rest: [ChatAPI.ChatEvent] = []
        for event in second {
            guard let left = try? matcher.rest(of: event) as ChatAPI.ChatEvent?? else { return nil }
            if let left { rest.append(left) }
        }
        return rest
    }

    @Test("what was shown is dropped, wherever the pieces end", arguments: 1 ... 11)
    func prefix(size: Int) {
        let whole = Array("Grüße, 🌊 und mehr")
        let second = stride(from: 0, to: whole.count, by: size).map {
            text(String(whole[$0 ..< min($0 + size, whole.count)]))
        }
        let left = rest([.init(kind: .start), text("Grüße"), text(", 🌊 u")], second)
        #expect(left?.map(\.text).joined() == "nd mehr")
    }

    @Test("another text, a shorter one and another kind of content diverge")
    func diverges() {
        #expect(rest([text("abc")], [text("abd")]) == nil)
        #expect(rest([text("abc")], [text("ab"), .init(kind: .finish, finish: .stop)]) == nil)
        #expect(rest([text("abc")], [.init(kind: .toolCall, id: "1", name: "f")]) == nil)
        #expect(rest([text("abc")], [.init(kind: .refusal, text: "abc")]) == nil)
        #expect(rest([text("abc")], [.init(kind: .rawBlock, json: "{}")]) == nil)
        let call = ChatAPI.ChatEvent(kind: .toolCall, id: "1", name: "f")
        #expect(rest([text("a"), call], [text("ab")]) == nil, "text where a call was shown")
    }

    @Test("calls match by name and arguments; their ids differ with every run")
    func calls() {
        let shown: [ChatAPI.ChatEvent] = [
            .init(kind: .toolCall, id: "first", name: "f"), .init(kind: .toolArguments, text: #"{"a":"#),
        ]
        let second: [ChatAPI.ChatEvent] = [
            .init(kind: .toolCall, id: "second", name: "f"), .init(kind: .toolArguments, text: #"{"a":1}"#),
            .init(kind: .finish, finish: .toolCalls),
        ]
        let left = rest(shown, second)
        #expect(left?.map(\.kind) == [.toolArguments, .finish] && left?.first?.text == "1}")
        #expect(rest(shown, [.init(kind: .toolCall, id: "x", name: "g")]) == nil)
    }

    @Test("reasoning and log probabilities are passed over until the shown part is behind")
    func reasoning() {
        let second: [ChatAPI.ChatEvent] = [
            .init(kind: .thinking, text: "other thoughts"), .init(kind: .signature, signature: "s"), text("ab"),
            .init(kind: .logprobs, json: "{}"), text("c"), .init(kind: .logprobs, json: "{}"),
        ]
        #expect(
            rest([.init(kind: .thinking, text: "thoughts"), text("ab")], second)?.map(\.kind) == [.logprobs, .text, .logprobs])
    }

    @Test("each choice is matched on its own, and one that was shown whole stays as it is")
    func choices() {
        let shown = [text("one", choice: 0), text("tw", choice: 1), .init(kind: .finish, choice: 0, finish: .stop)]
        let second = [
            text("two", choice: 1), text("one", choice: 0), .init(kind: .finish, choice: 0, finish: .stop),
            .init(kind: .finish, choice: 1, finish: .stop),
        ]
        let left = rest(shown, second)
        #expect(left?.map(\.choice) == [1, 1] && left?.map(\.text) == ["o", ""])
    }

    @Test("reasoning that was shown is not gone on with by another run's, nor signed by it")
    func shownReasoning() {
        let second: [ChatAPI.ChatEvent] = [
            .init(kind: .thinking, text: "BBB"), .init(kind: .signature, signature: "b"), text("answer"),
            .init(kind: .thinking, text: "later"),
        ]
        let kinds: [ChatAPI.EventKind] = [.text, .thinking]
        #expect(rest([.init(kind: .thinking, text: "AAA")], second)?.map(\.kind) == kinds)
        let signed: [ChatAPI.ChatEvent] = [.init(kind: .thinking, text: "AAA"), .init(kind: .signature, signature: "a")]
        #expect(rest(signed, second)?.map(\.kind) == kinds)
        #expect(rest([text("answer")], second)?.map(\.kind) == [.thinking], "reasoning after what was shown is new")
    }

    @Test("a block of text that was shown to begin does not begin again")
    func shownBeginning() {
        let beginning = ChatAPI.ChatEvent(kind: .text, beginsBlock: true)
        #expect(rest([text("one"), beginning], [text("one"), beginning, text("two"), beginning]) == [text("two"), beginning])
        #expect(rest([text("one")], [text("one"), beginning, text("two")]) == [beginning, text("two")])
    }
}
