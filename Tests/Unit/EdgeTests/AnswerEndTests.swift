import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("How answers end, and where their blocks do")
struct AnswerEndTests {
    private func answer(
        _ dialect: any ChatDialect, _ events: [ChatAPI.ChatEvent], from provider: ChatAPI.Dialect
    ) throws -> (whole: JSON, stream: [JSON]) {
        let served = ChatAPI.Served(model: "m", dialect: provider)
        let all = [ChatAPI.ChatEvent(kind: .start, served: served)] + events
        var (collected, bytes) = (CollectedAnswer(), ByteBuffer())
        var writer = dialect.stream(ChatCall(chat: ChatAPI.ChatRequest()), requestID: "r")
        for event in all {
            collected.add(event)
            try writer.write(event, into: &bytes)
        }
        let facts = AnswerFacts(served: served)
        try writer.finish(facts, into: &bytes)
        let whole = dialect.encode(collected, to: ChatCall(chat: ChatAPI.ChatRequest()), facts, requestID: "r")
        let stream = String(buffer: bytes).split(separator: "\n").filter { $0.hasPrefix("data: {") }
            .compactMap { try? JSON.parse(String($0.dropFirst(6))) }
        return (try JSON.parse(whole), stream)
    }

    private func ending(_ word: String, _ finish: ChatAPI.FinishReason = .stop, calls: Bool = false) -> [ChatAPI.ChatEvent] {
        let call: [ChatAPI.ChatEvent] = [.init(kind: .toolCall, id: "c", name: "f"), .init(kind: .toolArguments, text: "{}")]
        return (calls ? call : [.init(kind: .text, text: "a")]) + [.init(kind: .finish, finish: finish, rawFinish: word)]
    }

    @Test(
        "A word of the provider that nobody knows is shown in its own dialect, and is an ordinary end in others",
        arguments: [
            (ChatAPI.Dialect.openaiChat, "repetition", "repetition", "end_turn"),
            (.anthropicMessages, "refined", "stop", "refined"), (.openaiChat, "eos", "stop", "end_turn"),
            (.openaiChat, "", "stop", "end_turn"), (.openaiChat, String(repeating: "x", count: 65), "stop", "end_turn"),
        ])
    func unknownWord(_ provider: ChatAPI.Dialect, _ word: String, _ openAI: String, _ anthropic: String) throws {
        let chat = try answer(OpenAIChat(), ending(word), from: provider)
        #expect(chat.whole["choices"]?[0]?["finish_reason"]?.string == openAI)
        #expect(chat.stream.compactMap { $0["choices"]?[0]?["finish_reason"]?.string } == [openAI])
        let messages = try answer(AnthropicChat(), ending(word), from: provider)
        #expect(messages.whole["stop_reason"]?.string == anthropic)
        #expect(messages.stream.compactMap { $0["delta"]?["stop_reason"]?.string } == [anthropic])
    }

    @Test("An answer with calls ends with them, whatever its provider says, unless it was cut or refused")
    func calls() throws {
        func reason(_ word: String, _ finish: ChatAPI.FinishReason) throws -> [String?] {
            let told = try answer(AnthropicChat(), ending(word, finish, calls: true), from: .anthropicMessages)
            return [told.whole["stop_reason"]?.string, told.stream.compactMap { $0["delta"]?["stop_reason"]?.string }.first]
        }
        #expect(try reason("end_turn", .stop) == ["tool_use", "tool_use"])
        #expect(try reason("odd", .stop) == ["tool_use", "tool_use"])
        #expect(try reason("max_tokens", .length) == ["max_tokens", "max_tokens"])
        #expect(try reason("pause_turn", .pause) == ["pause_turn", "pause_turn"])
        let chat = try answer(OpenAIChat(), ending("odd", calls: true), from: .openaiChat)
        #expect(chat.whole["choices"]?[0]?["finish_reason"] == "tool_calls")
    }

    private static let blocks: [ChatAPI.ChatEvent] = [
        .init(kind: .text, text: "a"), .init(kind: .text, text: "b"), .init(kind: .text, beginsBlock: true),
        .init(kind: .text, text: "c"), .init(kind: .finish, finish: .stop, rawFinish: "end_turn"),
    ]

    @Test("Neighbouring blocks of text stay apart for Anthropic's clients")
    func apart() throws {
        let told = try answer(AnthropicChat(), Self.blocks, from: .anthropicMessages)
        #expect(told.whole["content"] == [["type": "text", "text": "ab"], ["type": "text", "text": "c"]])
        let starts = told.stream.filter { $0["type"] == "content_block_start" }
        #expect(starts.compactMap { $0["index"]?.int } == [0, 1])
        let deltas = told.stream.filter { $0["type"] == "content_block_delta" }
        #expect(deltas.compactMap { $0["index"]?.int } == [0, 0, 1] && deltas.allSatisfy { $0["delta"]?["text"] != "" })
    }

    @Test("They are one text for everybody else, without an empty event between")
    func together() throws {
        let chat = try answer(OpenAIChat(), Self.blocks, from: .anthropicMessages)
        #expect(chat.whole["choices"]?[0]?["message"]?["content"] == "abc")
        let deltas = chat.stream.compactMap { $0["choices"]?[0]?["delta"]?["content"]?.string }
        #expect(deltas == ["", "a", "b", "c"], "the first is that of the role")
        let responses = try answer(ResponsesChat(), Self.blocks, from: .anthropicMessages)
        #expect(responses.whole["output"]?[0]?["content"]?.array?.compactMap { $0["text"]?.string } == ["abc"])
        #expect(responses.stream.last?["response"]?["output"] == responses.whole["output"])
    }
}
