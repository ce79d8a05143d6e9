import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("Anthropic Messages")
struct AnthropicChatTests {
    private func decode(_ text: String) throws -> ChatCall { try AnthropicChat().decode(try JSON.parse(text)) }

    @Test("A request with everything becomes canonical; results of tools become messages of their own")
    func full() throws {
        let call = try decode(
            #"""
            {"model":"m","max_tokens":9,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"top_k":3,
             "stop_sequences":["X"],"metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":1024},
             "tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search"}],
             "tool_choice":{"type":"any","disable_parallel_tool_use":true},
             "messages":[{"role":"user","content":"q"},
              {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"sig"},{"type":"tool_use","id":"c","name":"f","input":{"a":1}}]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"}],"is_error":true},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}]}]}
            """#)
        #expect(call.chat.maxTokens == 9 && call.chat.topK == 3 && call.chat.stop == ["X"] && call.chat.endUser == "u")
        #expect(call.chat.toolMode == .required && call.chat.parallelToolCalls == false)
        #expect(call.chat.extraJson == #"{"thinking":{"type":"enabled","budget_tokens":1024}}"#)
        #expect(call.chat.tools.map(\.name) == ["f", ""] && call.chat.tools[1].rawJson != nil)
        #expect(
            call.chat.messages == [
                ChatAPI.Message(
                    role: .system,
                    parts: [ChatAPI.Part(kind: .text, text: "s", extraJson: #"{"cache_control":{"type":"ephemeral"}}"#)]),
                ChatAPI.Message(role: .user, parts: [ChatAPI.Part(kind: .text, text: "q")]),
                ChatAPI.Message(
                    role: .assistant,
                    parts: [
                        ChatAPI.Part(kind: .thinking, text: "t", signature: "sig"),
                        ChatAPI.Part(kind: .toolCall, id: "c", name: "f", json: #"{"a":1}"#),
                    ]),
                ChatAPI.Message(role: .tool, parts: [ChatAPI.Part(kind: .toolResult, text: "r", id: "c", isError: true)]),
                ChatAPI.Message(role: .user, parts: [ChatAPI.Part(kind: .image, text: "AA", mediaType: "image/png")]),
            ])
    }

    @Test(
        "What is missing or wrong is named by its path",
        arguments: [
            (#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
            (#"{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
            (#"{"model":"m","max_tokens":1,"system":4,"messages":[{"role":"user","content":"x"}]}"#, "system"),
            (
                #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image"}]}]}"#,
                "messages[0].content[0].source"
            ),
            (
                #"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"tool_choice":{"type":"some"}}"#,
                "tool_choice.type"
            ),
        ])
    func wrong(_ body: String, _ param: String) {
        #expect { try decode(body) } throws: { ($0 as? EdgeError)?.param == param }
    }

    private static let served = ChatAPI.Served(
        provider: "p", model: "m-1", attempts: 1, cache: .exact, responseID: "msg_1", created: 9)

    private func stream(_ events: [ChatAPI.ChatEvent], usage: ChatAPI.Usage? = nil) throws -> [String] {
        var writer = AnthropicChat().stream(ChatCall(chat: ChatAPI.ChatRequest()), requestID: "req_1")
        var bytes = ByteBuffer()
        for event in events { try writer.write(event, into: &bytes) }
        try writer.finish(AnswerFacts(served: Self.served, usage: usage), into: &bytes)
        return String(buffer: bytes).split(separator: "\n\n").map(String.init)
    }

    @Test("Blocks are numbered without gaps, one open at a time; usage without cached tokens comes in message_delta")
    func blocks() throws {
        let usage = ChatAPI.Usage(inputTokens: 30, outputTokens: 5, cachedInputTokens: 20, cacheCreationInputTokens: 4)
        let events = try stream(
            [
                ChatAPI.ChatEvent(kind: .start, served: Self.served), ChatAPI.ChatEvent(kind: .thinking, text: "t"),
                ChatAPI.ChatEvent(kind: .signature, signature: "s"), ChatAPI.ChatEvent(kind: .text, text: "a"),
                ChatAPI.ChatEvent(kind: .text, text: "b"),
                ChatAPI.ChatEvent(kind: .toolCall, toolIndex: 0, id: "c", name: "f"),
                ChatAPI.ChatEvent(kind: .toolArguments, text: "{}", toolIndex: 0),
                ChatAPI.ChatEvent(kind: .finish, finish: .toolCalls), ChatAPI.ChatEvent(kind: .usage, usage: usage),
            ], usage: usage)
        let data = try events.map { event in
            let lines = event.split(separator: "\n")
            let json = try JSON.parse(String(lines[1].dropFirst("data: ".count)))
            #expect(lines[0] == "event: \(json["type"]?.string ?? "")")
            return json
        }
        #expect(
            data.compactMap { $0["type"]?.string } == [
                "message_start", "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop",
                "content_block_start", "content_block_delta", "content_block_delta", "content_block_stop", "content_block_start",
                "content_block_delta", "content_block_stop", "message_delta", "message_stop",
            ])
        #expect(data.compactMap { $0["index"]?.int } == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2])
        let delta = data[12]
        #expect(delta["delta"]?["stop_reason"] == "tool_use" && delta["bulkhead"]?["cache"] == "exact")
        #expect(
            delta["usage"]?["input_tokens"] == 6 && delta["usage"]?["cache_read_input_tokens"] == 20
                && delta["usage"]?["output_tokens"] == 5)
    }

    @Test("message_stop is withheld from an answer that did not finish")
    func failures() {
        #expect(throws: EdgeError.self) { try stream([ChatAPI.ChatEvent(kind: .start, served: Self.served)]) }
    }

    @Test("The error event carries the request id")
    func errorEvent() {
        let writer = AnthropicChat().stream(ChatCall(chat: ChatAPI.ChatRequest()), requestID: "req_1")
        var bytes = ByteBuffer()
        writer.fail(EdgeError(.badGateway, code: "stream_broken", message: "It broke."), into: &bytes)
        #expect(
            String(buffer: bytes)
                == "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"It broke.\"},\"request_id\":\"req_1\"}\n\n"
        )
    }

    @Test(
        "Stop reasons: the provider's own word, else by meaning",
        arguments: [
            (ChatAPI.ChatEvent(kind: .finish, finish: .stop), "end_turn"),
            (ChatAPI.ChatEvent(kind: .finish, finish: .stop, rawFinish: "pause_turn"), "pause_turn"),
            (ChatAPI.ChatEvent(kind: .finish, finish: .stop, rawFinish: "stop", stopSequence: "X"), "stop_sequence"),
            (ChatAPI.ChatEvent(kind: .finish, finish: .length), "max_tokens"),
            (ChatAPI.ChatEvent(kind: .finish, finish: .contentFilter), "refusal"),
        ])
    func stops(_ event: ChatAPI.ChatEvent, _ reason: String) throws {
        var answer = CollectedAnswer()
        answer.add(event)
        let body = try JSON.parse(
            AnthropicChat().encode(answer, to: ChatCall(chat: ChatAPI.ChatRequest()), AnswerFacts(), requestID: "r"))
        #expect(body["stop_reason"]?.string == reason)
    }

    @Test("A call's arguments become an object, whatever the provider wrote")
    func input() throws {
        for (arguments, expected) in [("{\"a\":1}", "{\"a\":1}"), ("", "{}"), ("nope", "{\"raw_arguments\":\"nope\"}")] {
            var answer = CollectedAnswer()
            answer.add(ChatAPI.ChatEvent(kind: .toolCall, id: "c", name: "f"))
            answer.add(ChatAPI.ChatEvent(kind: .toolArguments, text: arguments))
            let body = try JSON.parse(
                AnthropicChat().encode(answer, to: ChatCall(chat: ChatAPI.ChatRequest()), AnswerFacts(), requestID: "r"))
            #expect(body["content"]?[0]?["input"] == (try JSON.parse(expected)))
        }
    }
}

@Suite("Anthropic Messages: what providers and clients of this dialect alone know")
struct AnthropicMemberTests {
    private func decode(_ members: String) throws -> ChatCall {
        try AnthropicChat().decode(try JSON.parse(#"{"model":"m","max_tokens":9,\#(members)}"#))
    }

    @Test("Documents, withheld reasoning and results with images are understood; other blocks are kept as they are")
    func blocks() throws {
        let call = try decode(
            #"""
            "messages":[{"role":"user","content":[
              {"type":"document","title":"t","source":{"type":"base64","media_type":"application/pdf","data":"AA"},"citations":{"enabled":true}},
              {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}},
              {"type":"document","source":{"type":"file","file_id":"f"}}]},
             {"role":"assistant","content":[{"type":"redacted_thinking","data":"d"},{"type":"server_tool_use","id":"s","name":"web_search","input":{}}]},
             {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","cache_control":{"type":"ephemeral"},
               "content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}]}]
            """#)
        #expect(
            call.chat.messages.map(\.parts) == [
                [
                    ChatAPI.Part(
                        kind: .document, text: "AA", name: "t", mediaType: "application/pdf",
                        extraJson: #"{"citations":{"enabled":true}}"#),
                    ChatAPI.Part(kind: .document, text: "plain", mediaType: "text/plain"),
                    ChatAPI.Part(kind: .raw, json: #"{"type":"document","source":{"type":"file","file_id":"f"}}"#),
                ],
                [
                    ChatAPI.Part(kind: .thinking, signature: "d", redacted: true),
                    ChatAPI.Part(kind: .raw, json: #"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#),
                ],
                [
                    ChatAPI.Part(
                        kind: .toolResult, id: "c", json: #"[{"type":"image","source":{"type":"url","url":"https://x"}}]"#,
                        extraJson: #"{"cache_control":{"type":"ephemeral"}}"#)
                ],
            ])
    }

    @Test(
        "How much is to be thought, and the form of the answer",
        arguments: [
            (#""thinking":{"type":"enabled","budget_tokens":2048}"#, 2048, nil), (#""thinking":{"type":"disabled"}"#, 0, nil),
            (#""thinking":{"type":"adaptive"},"output_config":{"effort":"high"}"#, nil, "high"),
        ] as [(String, Int?, String?)])
    func thinking(_ members: String, _ budget: Int?, _ effort: String?) throws {
        let call = try decode(#"\#(members),"messages":[{"role":"user","content":"x"}]"#)
        #expect(call.chat.reasoningBudget == budget && call.chat.reasoningEffort == effort)
        #expect(call.chat.extraJson == "{\(members)}", "providers of this dialect get the client's own words")
    }

    @Test("Metadata beside the user goes to providers of the dialect")
    func metadata() throws {
        let call = try decode(#""metadata":{"user_id":"u","trace":"t"},"messages":[{"role":"user","content":"x"}]"#)
        #expect(call.chat.endUser == "u" && call.chat.extraJson == #"{"metadata":{"user_id":"u","trace":"t"}}"#)
    }

    private static let events = [
        ChatAPI.ChatEvent(
            kind: .start, usage: ChatAPI.Usage(inputTokens: 9, cachedInputTokens: 4),
            served: ChatAPI.Served(provider: "p", model: "m", responseID: "msg_1", dialect: .anthropicMessages)),
        ChatAPI.ChatEvent(kind: .rawBlock, json: #"{"type":"server_tool_use","id":"s","name":"web_search","input":{}}"#),
        ChatAPI.ChatEvent(kind: .rawDelta, json: #"{"type":"input_json_delta","partial_json":"{\"q\":"}"#),
        ChatAPI.ChatEvent(kind: .rawDelta, json: #"{"type":"input_json_delta","partial_json":"1}"}"#),
        ChatAPI.ChatEvent(kind: .text, text: "a"),
        ChatAPI.ChatEvent(kind: .rawDelta, json: #"{"type":"citations_delta","citation":{"url":"https://x"}}"#),
        ChatAPI.ChatEvent(kind: .rawBlock, json: #"{"type":"text","text":""}"#), ChatAPI.ChatEvent(kind: .text, text: "b"),
        ChatAPI.ChatEvent(kind: .finish, finish: .pause, rawFinish: "pause_turn"),
    ]

    @Test("What server tools did and citations are put together for whole answers")
    func whole() throws {
        var answer = CollectedAnswer()
        for event in Self.events { answer.add(event) }
        let body = try JSON.parse(
            AnthropicChat().encode(answer, to: ChatCall(chat: ChatAPI.ChatRequest()), AnswerFacts(), requestID: "r"))
        #expect(
            body["content"] == [
                ["type": "server_tool_use", "id": "s", "name": "web_search", "input": ["q": 1]],
                ["type": "text", "text": "a", "citations": [["url": "https://x"]]], ["type": "text", "text": "b"],
            ])
        #expect(body["stop_reason"] == "pause_turn")
    }

    @Test("A stream shows them as they come, says what the input cost at its start, and keeps indexes contiguous")
    func stream() throws {
        var (writer, bytes) = (AnthropicChat().stream(ChatCall(chat: ChatAPI.ChatRequest()), requestID: "r"), ByteBuffer())
        for event in Self.events { try writer.write(event, into: &bytes) }
        try writer.finish(AnswerFacts(), into: &bytes)
        let events = String(buffer: bytes).split(separator: "\n").filter { $0.hasPrefix("data: ") }
            .compactMap { try? JSON.parse(String($0.dropFirst(6))) }
        #expect(events[0]["message"]?["usage"]?["input_tokens"] == 5)
        #expect(events[0]["message"]?["usage"]?["cache_read_input_tokens"] == 4)
        #expect(events.filter { $0["type"] == "content_block_start" }.compactMap { $0["index"]?.int } == [0, 1, 2])
        #expect(events[1]["content_block"]?["type"] == "server_tool_use" && events[2]["delta"]?["type"] == "input_json_delta")
        #expect(events.contains { $0["delta"] == ["type": "citations_delta", "citation": ["url": "https://x"]] })
    }
}
