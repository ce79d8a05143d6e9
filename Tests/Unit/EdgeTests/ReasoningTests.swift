import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("Reasoning and its signatures")
struct ReasoningTests {
    private static let anthropic = ChatAPI.Served(
        provider: "p", model: "m", responseID: "x_1", created: 9, dialect: .anthropicMessages)

    private static let answer = [
        ChatAPI.ChatEvent(kind: .start, served: anthropic), ChatAPI.ChatEvent(kind: .thinking, text: "so "),
        ChatAPI.ChatEvent(kind: .thinking, text: "then"), ChatAPI.ChatEvent(kind: .signature, signature: "s1"),
        ChatAPI.ChatEvent(kind: .redactedThinking, signature: "d1"), ChatAPI.ChatEvent(kind: .text, text: "hi"),
        ChatAPI.ChatEvent(kind: .finish, finish: .stop),
    ]

    private func whole(_ dialect: any ChatDialect, _ events: [ChatAPI.ChatEvent] = answer) throws -> JSON {
        var collected = CollectedAnswer()
        for event in events { collected.add(event) }
        let call = ChatCall(chat: ChatAPI.ChatRequest())
        return try JSON.parse(dialect.encode(collected, to: call, AnswerFacts(), requestID: "r"))
    }

    private func streamed(_ dialect: any ChatDialect, _ events: [ChatAPI.ChatEvent] = answer) throws -> [JSON] {
        var (writer, bytes) = (dialect.stream(ChatCall(chat: ChatAPI.ChatRequest()), requestID: "r"), ByteBuffer())
        for event in events { try writer.write(event, into: &bytes) }
        try writer.finish(AnswerFacts(served: Self.anthropic), into: &bytes)
        return String(buffer: bytes).split(separator: "\n").filter { $0.hasPrefix("data: {") }
            .compactMap { try? JSON.parse(String($0.dropFirst(6))) }
    }

    @Test("OpenAI chat: the text as reasoning_content, signed blocks with a prefix that says whose they are")
    func openAIWhole() throws {
        let message = try whole(OpenAIChat())["choices"]?[0]?["message"]
        #expect(message?["reasoning_content"] == "so then" && message?["content"] == "hi")
        #expect(
            message?["thinking_blocks"] == [
                ["type": "thinking", "thinking": "so then", "signature": "bh1.anthropic.s1"],
                ["type": "redacted_thinking", "data": "bh1.anthropic.d1"],
            ])
    }

    @Test("OpenAI chat, streamed: a signed block comes whole and with its index, so that clients can put deltas together")
    func openAIStream() throws {
        let deltas = try streamed(OpenAIChat()).compactMap { $0["choices"]?[0]?["delta"] }
        #expect(deltas.compactMap { $0["reasoning_content"]?.string } == ["so ", "then"])
        #expect(
            deltas.compactMap { $0["thinking_blocks"]?[0] } == [
                ["index": 0, "type": "thinking", "thinking": "so then", "signature": "bh1.anthropic.s1"],
                ["index": 1, "type": "redacted_thinking", "data": "bh1.anthropic.d1"],
            ])
    }

    @Test("Anthropic: signatures of its own dialect stand as they are, foreign ones have the prefix")
    func anthropicAnswers() throws {
        #expect(
            try whole(AnthropicChat())["content"] == [
                ["type": "thinking", "thinking": "so then", "signature": "s1"],
                ["type": "redacted_thinking", "data": "d1"], ["type": "text", "text": "hi"],
            ])
        let events = try streamed(AnthropicChat())
        #expect(events.compactMap { $0["delta"]?["signature"]?.string } == ["s1"])
        #expect(events.contains { $0["content_block"] == ["type": "redacted_thinking", "data": "d1"] })
        var foreign = Self.answer
        foreign[0].served?.dialect = .openaiResponses
        #expect(try whole(AnthropicChat(), foreign)["content"]?[0]?["signature"] == "bh1.openai-responses.s1")
        #expect(try streamed(AnthropicChat(), foreign).compactMap { $0["delta"]?["signature"] } == ["bh1.openai-responses.s1"])
    }

    @Test("Responses: a signature is the encrypted content of its item; withheld reasoning is an item without text")
    func responses() throws {
        let output = try whole(ResponsesChat())["output"]
        #expect(output?[0]?["summary"] == [["type": "summary_text", "text": "so then"]])
        #expect(
            output?[0]?["encrypted_content"] == "bh1.anthropic.s1"
                && output?[1]?["encrypted_content"] == "bh1.anthropic.withheld.d1")
        #expect(output?[1]?["summary"] == [] && output?[2]?["type"] == "message")
        #expect(try streamed(ResponsesChat()).last?["response"]?["output"] == output)
    }

    @Test("What clients send back finds its way: the prefix comes off and says whose signature it is")
    func returned() throws {
        let chat = try OpenAIChat().decode(
            try JSON.parse(
                #"""
                {"model":"m","messages":[{"role":"assistant","content":"hi","reasoning_content":"so then","thinking_blocks":[
                 {"index":0,"type":"thinking","thinking":"so then","signature":"bh1.anthropic.s1"},
                 {"type":"redacted_thinking","data":"own"}],
                 "tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"},
                  "extra_content":{"google":{"thought_signature":"g"}}}]}]}
                """#))
        let parts = chat.chat.messages[0].parts
        #expect(
            Array(parts.prefix(4)) == [
                ChatAPI.Part(kind: .thinking, text: "so then", signature: "s1", origin: .anthropicMessages),
                ChatAPI.Part(kind: .thinking, signature: "own", redacted: true), ChatAPI.Part(kind: .text, text: "hi"),
                ChatAPI.Part(kind: .thinking, signature: "g", origin: .gemini),
            ])
        #expect(parts.last?.kind == .toolCall && parts.last?.extraJson?.contains("thought_signature") == true)
        let plain = try OpenAIChat().decode(
            try JSON.parse(#"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_content":"b"}]}"#))
        #expect(plain.chat.messages[0].parts[0] == ChatAPI.Part(kind: .thinking, text: "b"))
        let responses = try ResponsesChat().decode(
            try JSON.parse(
                #"{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"bh1.gemini.g"}]}"#))
        #expect(
            responses.chat.messages[0].parts == [
                ChatAPI.Part(kind: .thinking, id: "rs_1", signature: "g", origin: .gemini)
            ])
    }

    @Test("Responses: reasoning without text is not withheld unless its prefix says so")
    func withheld() throws {
        func part(_ label: String) throws -> ChatAPI.Part {
            let item = #"{"type":"reasoning","summary":[],"encrypted_content":"\#(label)"}"#
            return try ResponsesChat().decode(try JSON.parse(#"{"model":"m","input":[\#(item)]}"#)).chat.messages[0].parts[0]
        }
        #expect(try part("own") == ChatAPI.Part(kind: .thinking, signature: "own"))
        #expect(try part("bh1.anthropic.s") == ChatAPI.Part(kind: .thinking, signature: "s", origin: .anthropicMessages))
        #expect(
            try part("bh1.anthropic.withheld.d")
                == ChatAPI.Part(kind: .thinking, signature: "d", origin: .anthropicMessages, redacted: true))
    }

    @Test("A prefix with a word nobody knows is part of the signature")
    func unknownPrefix() throws {
        let call = try AnthropicChat().decode(
            try JSON.parse(
                #"{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"bh1.other.s"}]}]}"#
            ))
        #expect(call.chat.messages[0].parts == [ChatAPI.Part(kind: .thinking, text: "t", signature: "bh1.other.s")])
    }
}
