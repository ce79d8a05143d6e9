import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import RouterService
import Testing

struct AnthropicRequestTests {
    private func body(_ chat: ChatAPI.ChatRequest) throws -> JSON {
        .object(try AnthropicRequest.body(try ChatIntent(chat), model: "claude-sonnet-5", defaultMaxTokens: 4096))
    }

    private func says(_ text: String, _ role: ChatAPI.Role = .user, extra: String? = nil) -> ChatAPI.Message {
        .init(role: role, parts: [.init(kind: .text, text: text, extraJson: extra)])
    }

    @Test("system stands on top, turns of one side are merged, the limit is never missing")
    func turns() throws {
        let chat = ChatAPI.ChatRequest(
            messages: [
                says("Be brief.", .system), says("one"), says("two"), says("three", .assistant), says("And kind.", .developer),
                says("four"),
            ],
            temperature: 0, stop: ["x"], endUser: "anna", dialect: .openaiChat)
        #expect(
            try body(chat).text()
                == #"{"model":"claude-sonnet-5","max_tokens":4096,"system":"Be brief.\n\nAnd kind.","messages":["#
                + #"{"role":"user","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},"#
                + #"{"role":"assistant","content":"three"},{"role":"user","content":"four"}],"#
                + #""temperature":0,"stop_sequences":["x"],"stream":true,"metadata":{"user_id":"anna"}}"#)
    }

    @Test("blocks of an Anthropic client keep their cache marks, its unknown members are forwarded")
    func native() throws {
        let mark = #"{"cache_control":{"type":"ephemeral"}}"#
        let chat = ChatAPI.ChatRequest(
            messages: [says("Long.", .system, extra: mark), says("hi", extra: mark)], maxTokens: 9, dialect: .anthropicMessages,
            extraJson: #"{"thinking":{"type":"enabled","budget_tokens":1024},"max_tokens":1}"#)
        let sent = try body(chat)
        let block: (JSON) -> JSON = { ["type": "text", "text": $0, "cache_control": ["type": "ephemeral"]] }
        #expect(sent["system"] == [block("Long.")])
        #expect(sent["messages"] == [["role": "user", "content": [block("hi")]]])
        #expect(sent["thinking"] == ["type": "enabled", "budget_tokens": 1024])
        #expect(sent["max_tokens"] == 9)
    }

    @Test("calls become tool_use, results become user blocks before the user's words")
    func tools() throws {
        let calls: [ChatAPI.Part] = [
            .init(kind: .text, text: ""), .init(kind: .toolCall, id: "a", name: "weather", json: #"{"city":"Oslo"}"#),
            .init(kind: .toolCall, id: "b", name: "time", json: ""),
        ]
        var chat = ChatAPI.ChatRequest(
            messages: [
                says("?"), .init(role: .assistant, parts: calls),
                .init(role: .tool, parts: [.init(kind: .toolResult, text: "rain", id: "a")]),
                .init(role: .tool, parts: [.init(kind: .toolResult, text: "no clock", id: "b", isError: true)]), says("so?"),
            ], dialect: .openaiChat)
        chat.tools = [.init(name: "weather", schemaJson: #"{"type":"object"}"#), .init(name: "time")]
        (chat.toolMode, chat.parallelToolCalls) = (.required, false)
        let sent = try body(chat)
        #expect(
            sent["messages"]?[1]?["content"] == [
                ["type": "tool_use", "id": "a", "name": "weather", "input": ["city": "Oslo"]],
                ["type": "tool_use", "id": "b", "name": "time", "input": [:]],
            ])
        #expect(
            sent["messages"]?[2] == [
                "role": "user",
                "content": [
                    ["type": "tool_result", "tool_use_id": "a", "content": "rain"],
                    ["type": "tool_result", "tool_use_id": "b", "content": "no clock", "is_error": true],
                    ["type": "text", "text": "so?"],
                ],
            ])
        #expect(sent["tool_choice"] == ["type": "any", "disable_parallel_tool_use": true])
        #expect(sent["tools"]?[0] == ["name": "weather", "input_schema": ["type": "object"]])
    }

    @Test("signed reasoning goes back to where it came from, and nowhere else")
    func thinking() throws {
        let parts: [ChatAPI.Part] = [.init(kind: .thinking, text: "hm", signature: "sig"), .init(kind: .text, text: "yes")]
        var chat = ChatAPI.ChatRequest(messages: [says("?"), .init(role: .assistant, parts: parts)], dialect: .anthropicMessages)
        #expect(try body(chat)["messages"]?[1]?["content"]?[0] == ["type": "thinking", "thinking": "hm", "signature": "sig"])
        chat.dialect = .openaiChat
        #expect(try body(chat)["messages"]?[1] == ["role": "assistant", "content": "yes"])
    }

    @Test("images become sources by URL or by data")
    func images() throws {
        func source(_ part: ChatAPI.Part) throws -> JSON? {
            try body(.init(messages: [.init(role: .user, parts: [part])], dialect: .openaiChat))["messages"]?[0]?["content"]?[0]?[
                "source"]
        }
        #expect(try source(.init(kind: .image, url: "https://x/y.png")) == ["type": "url", "url": "https://x/y.png"])
        let data: JSON = ["type": "base64", "media_type": "image/jpeg", "data": "AAAA"]
        #expect(try source(.init(kind: .image, url: "data:image/jpeg;base64,AAAA")) == data)
        #expect(try source(.init(kind: .image, text: "AAAA", mediaType: "image/jpeg")) == data)
    }

    @Test("a schema for the answer is translated; several choices and plain JSON mode are refused")
    func forms() throws {
        var chat = ChatAPI.ChatRequest(messages: [says("?")], dialect: .openaiChat)
        chat.responseFormatJson = #"{"type":"json_schema","json_schema":{"name":"t","schema":{"type":"object"}}}"#
        #expect(try body(chat)["output_config"] == ["format": ["type": "json_schema", "schema": ["type": "object"]]])
        chat.responseFormatJson = #"{"type":"json_object"}"#
        #expect(throws: CallError.self) { try body(chat) }
        chat.responseFormatJson = nil
        chat.choices = 2
        #expect(throws: CallError.self) { try body(chat) }
    }

    @Test("an OpenAI client's other name for the limit counts")
    func completionTokens() throws {
        let chat = ChatAPI.ChatRequest(messages: [says("?")], dialect: .openaiChat, extraJson: #"{"max_completion_tokens":12}"#)
        #expect(try body(chat)["max_tokens"] == 12)
    }
}
