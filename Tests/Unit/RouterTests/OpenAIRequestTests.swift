import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import RouterService
import Testing

struct OpenAIRequestTests {
    private func body(_ chat: ChatAPI.ChatRequest, model: String = "gpt-5-mini") throws -> JSON {
        .object(try OpenAIRequest.body(try ChatIntent(chat), model: model))
    }

    private func chat(_ messages: [ChatAPI.Message], dialect: ChatAPI.Dialect = .openaiChat) -> ChatAPI.ChatRequest {
        ChatAPI.ChatRequest(model: "assistant", messages: messages, dialect: dialect)
    }

    private func says(_ text: String, _ role: ChatAPI.Role = .user) -> ChatAPI.Message {
        .init(role: role, parts: [.init(kind: .text, text: text)])
    }

    @Test("a plain request becomes what an OpenAI client would have sent")
    func plain() throws {
        var chat = chat([says("Be brief.", .system), says("hello")])
        (chat.temperature, chat.topP, chat.maxTokens, chat.seed, chat.choices) = (0, 0.5, 77, 42, 2)
        chat.stop = ["x"]
        chat.endUser = "anna"
        chat.responseFormatJson = #"{"type":"json_object"}"#
        #expect(
            try body(chat).text()
                == #"{"model":"gpt-5-mini","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"hello"}],"#
                + #""temperature":0,"top_p":0.5,"stop":["x"],"seed":42,"n":2,"max_tokens":77,"response_format":{"type":"json_object"},"#
                + #""stream":true,"user":"anna","stream_options":{"include_usage":true}}"#
        )
    }

    @Test("a stream with usage is always asked for, and the client's other stream options are kept", arguments: [true, false])
    func streaming(streams: Bool) throws {
        var chat = chat([says("hello")])
        chat.stream = streams
        chat.extraJson = #"{"stream_options":{"include_obfuscation":false}}"#
        let sent = try body(chat)
        #expect(sent["stream"] == true)
        #expect(sent["stream_options"] == ["include_obfuscation": false, "include_usage": true])
    }

    @Test("the limit has the name the client used, or the one the model takes")
    func limits() throws {
        var native = chat([says("hello")])
        native.maxTokens = 77
        native.extraJson = #"{"max_completion_tokens":77}"#
        #expect(try body(native)["max_tokens"] == nil && body(native)["max_completion_tokens"] == 77)
        var foreign = chat([says("hello")], dialect: .anthropicMessages)
        foreign.maxTokens = 77
        #expect(try body(foreign)["max_completion_tokens"] == 77)
        #expect(try body(foreign, model: "gpt-4o")["max_tokens"] == 77)
    }

    @Test("unknown members reach a provider of the client's dialect only, never displace known ones, and are never lost")
    func extras() throws {
        var chat = chat([says("hello")])
        chat.extraJson = #"{"x_new":1,"model":"stolen"}"#
        #expect(try body(chat)["x_new"] == 1)
        #expect(try body(chat)["model"] == "gpt-5-mini")
        chat.dialect = .anthropicMessages
        #expect(throws: CallError.self) { try body(chat) }
        chat.extraJson = #"{"service_tier":"auto","x_new":null}"#
        #expect(try body(chat)["service_tier"] == nil)
    }

    @Test("text and images keep their members")
    func images() throws {
        let image = ChatAPI.Part(
            kind: .image, url: "data:image/png;base64,iVBORw0KGgo=", extraJson: #"{"image_url":{"detail":"low"}}"#)
        let content = try body(chat([.init(role: .user, parts: [.init(kind: .text, text: "what?"), image])]))["messages"]?[0]?[
            "content"]
        #expect(
            content == [
                ["type": "text", "text": "what?"],
                ["type": "image_url", "image_url": ["url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"]],
            ])
    }

    @Test("tools, calls and results go through")
    func tools() throws {
        let call = ChatAPI.Part(kind: .toolCall, id: "call_1", name: "weather", json: #"{"city":"Oslo"}"#)
        let result = ChatAPI.Part(kind: .toolResult, text: "rain", id: "call_1")
        var chat = chat([says("weather?"), .init(role: .assistant, parts: [call]), .init(role: .tool, parts: [result])])
        chat.tools = [.init(name: "weather", description: "Tells.", schemaJson: #"{"type":"object"}"#, strict: true)]
        (chat.toolMode, chat.toolName, chat.parallelToolCalls) = (.named, "weather", false)
        let sent = try body(chat)
        #expect(
            sent["messages"]?[1] == [
                "role": "assistant", "content": nil,
                "tool_calls": [
                    ["id": "call_1", "type": "function", "function": ["name": "weather", "arguments": #"{"city":"Oslo"}"#]]
                ],
            ])
        #expect(sent["messages"]?[2] == ["role": "tool", "tool_call_id": "call_1", "content": "rain"])
        #expect(
            sent["tools"] == [
                [
                    "type": "function",
                    "function": ["name": "weather", "description": "Tells.", "parameters": ["type": "object"], "strict": true],
                ]
            ])
        #expect(sent["tool_choice"] == ["type": "function", "function": ["name": "weather"]])
        #expect(sent["parallel_tool_calls"] == false)
    }

    @Test("an Anthropic user turn with results becomes tool messages before the user's words")
    func foreignResults() throws {
        let parts: [ChatAPI.Part] = [
            .init(kind: .toolResult, text: "rain", id: "a"),
            .init(kind: .toolResult, id: "b", json: #"[{"type":"text","text":"one"},{"type":"text","text":"two"}]"#),
            .init(kind: .text, text: "and now?", extraJson: #"{"cache_control":{"type":"ephemeral"}}"#),
        ]
        let sent = try body(chat([.init(role: .user, parts: parts)], dialect: .anthropicMessages))
        #expect(
            sent["messages"] == [
                ["role": "tool", "tool_call_id": "a", "content": "rain"],
                ["role": "tool", "tool_call_id": "b", "content": "one\ntwo"],
                ["role": "user", "content": "and now?"],
            ])
    }

    @Test("what another dialect alone knows is refused, not dropped")
    func refused() {
        let raw = ChatAPI.Part(kind: .raw, json: #"{"type":"document"}"#)
        #expect(throws: CallError.self) { try body(chat([.init(role: .user, parts: [raw])], dialect: .anthropicMessages)) }
        var tools = chat([says("x")], dialect: .anthropicMessages)
        tools.tools = [.init(rawJson: #"{"type":"web_search"}"#)]
        #expect(throws: CallError.self) { try body(tools) }
    }
}
