import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("OpenAI chat")
struct OpenAIChatTests {
    private func decode(_ text: String) throws -> ChatCall { try OpenAIChat().decode(try JSON.parse(text)) }

    @Test("A request with everything becomes canonical, and what is not modelled is kept")
    func full() throws {
        let call = try decode(
            #"""
            {"model":"assistant","n":2,"temperature":0.5,"max_completion_tokens":50,"stop":"END","seed":7,"user":"u1","logprobs":true,
             "stream":true,"stream_options":{"include_usage":true},"response_format":{"type":"json_object"},"service_tier":"flex",
             "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}},{"type":"web_search"}],
             "tool_choice":{"type":"function","function":{"name":"f"}},"bulkhead":{"cache":"off","timeout_ms":1500},
             "messages":[
              {"role":"system","content":"be brief"},
              {"role":"user","name":"ann","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]},
              {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
              {"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"4"},{"type":"text","text":"2"}]}]}
            """#)
        #expect(
            call.includesUsage && call.chat.stream && call.options.cache == .off && call.options.timeout == .milliseconds(1500))
        #expect(call.chat.choices == 2 && call.chat.maxTokens == 50 && call.chat.stop == ["END"] && call.chat.seed == 7)
        #expect(
            call.chat.endUser == "u1" && call.chat.toolMode == .named && call.chat.toolName == "f" && call.chat.logprobs == true)
        #expect(call.chat.extraJson == #"{"max_completion_tokens":50,"service_tier":"flex"}"#)
        #expect(call.chat.responseFormatJson == #"{"type":"json_object"}"#)
        #expect(
            call.chat.tools == [
                ChatAPI.Tool(name: "f", description: "d", schemaJson: #"{"type":"object"}"#, strict: true),
                ChatAPI.Tool(rawJson: #"{"type":"web_search"}"#),
            ])
        #expect(
            call.chat.messages == [
                ChatAPI.Message(role: .system, parts: [ChatAPI.Part(kind: .text, text: "be brief")]),
                ChatAPI.Message(
                    role: .user,
                    parts: [
                        ChatAPI.Part(kind: .text, text: "see"),
                        ChatAPI.Part(kind: .image, url: "https://x/y.png", extraJson: #"{"image_url":{"detail":"low"}}"#),
                        ChatAPI.Part(kind: .audio, text: "AA", mediaType: "audio/wav"),
                    ], name: "ann"),
                ChatAPI.Message(role: .assistant, parts: [ChatAPI.Part(kind: .toolCall, id: "c1", name: "f", json: #"{"a":1}"#)]),
                ChatAPI.Message(role: .tool, parts: [ChatAPI.Part(kind: .toolResult, text: "42", id: "c1")]),
            ])
    }

    @Test(
        "What is missing or of the wrong type is named by its path",
        arguments: [
            (#"[]"#, nil), (#"{}"#, "model"), (#"{"model":"m"}"#, "messages"), (#"{"model":"m","messages":[]}"#, "messages"),
            (#"{"model":7,"messages":[]}"#, "model"), (#"{"model":"m","messages":[3]}"#, "messages[0]"),
            (#"{"model":"m","messages":[{"role":"user","content":1}]}"#, "messages[0].content"),
            (#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
            (#"{"model":"m","messages":[{"role":"bot","content":"x"}]}"#, "messages[0].role"),
            (
                #"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"user","content":[{"type":"text","text":4}]}]}"#,
                "messages[1].content[0].text"
            ),
            (#"{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":"hot"}"#, "temperature"),
            (#"{"model":"m","messages":[{"role":"user","content":"x"}],"n":0}"#, "n"),
            (#"{"model":"m","messages":[{"role":"user","content":"x"}],"bulkhead":{"cach":"off"}}"#, "bulkhead.cach"),
            (#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}]}"#, "tools[0].function"),
        ] as [(String, String?)])
    func wrong(_ body: String, _ param: String?) {
        #expect { try decode(body) } throws: { error in
            guard let error = error as? EdgeError else { return false }
            return error.status == 400 && error.param == param
        }
    }

    private static let served = ChatAPI.Served(
        provider: "p", model: "m-1", attempts: 1, cache: .miss, responseID: "chatcmpl-1", created: 99)
    private static let usage = ChatAPI.Usage(
        inputTokens: 10, outputTokens: 4, cachedInputTokens: 6, reasoningTokens: 1, costNanousd: 1_500_000,
        audioInputTokens: 2, acceptedPredictionTokens: 3)
    private static let head = #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":99,"model":"m-1","choices":["#

    private func stream(_ events: [ChatAPI.ChatEvent], choices: Int = 1, includesUsage: Bool = false) throws -> [String] {
        let call = ChatCall(chat: ChatAPI.ChatRequest(choices: choices), includesUsage: includesUsage)
        var writer = OpenAIChat().stream(call, requestID: "req_1")
        var bytes = ByteBuffer()
        for event in events { try writer.write(event, into: &bytes) }
        try writer.finish(AnswerFacts(served: Self.served, usage: Self.usage), into: &bytes)
        return String(buffer: bytes).split(separator: "\n\n").map { String($0.replacing(Self.head, with: "…")) }
    }

    @Test("A stream begins with the role, ends with finish, facts and [DONE]; without include_usage there is no usage")
    func plainStream() throws {
        let lines = try stream([
            ChatAPI.ChatEvent(kind: .start, served: Self.served), ChatAPI.ChatEvent(kind: .text, text: "h\"i"),
            ChatAPI.ChatEvent(kind: .keepalive), ChatAPI.ChatEvent(kind: .finish, finish: .stop),
            ChatAPI.ChatEvent(kind: .usage, usage: Self.usage),
        ])
        #expect(
            lines == [
                #"data: …{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}"#,
                #"data: …{"index":0,"delta":{"content":"h\"i"},"logprobs":null,"finish_reason":null}]}"#,
                #"data: …{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"bulkhead":{"cost_usd":"0.0015","cache":"miss","provider":"p","model":"m-1","attempts":1,"overhead_ms":0.000}}"#,
                "data: [DONE]",
            ])
    }

    @Test("include_usage gives usage:null on every chunk and one usage chunk with empty choices, the last")
    func usageStream() throws {
        let lines = try stream(
            [
                ChatAPI.ChatEvent(kind: .start, served: Self.served), ChatAPI.ChatEvent(kind: .finish, finish: .length),
                ChatAPI.ChatEvent(kind: .usage, usage: Self.usage),
            ], includesUsage: true)
        #expect(
            lines.count == 4 && lines[0].hasSuffix(#"],"usage":null}"#)
                && lines[1].hasSuffix(#""finish_reason":"length"}],"usage":null}"#))
        #expect(
            lines[2]
                == #"data: …],"usage":{"prompt_tokens":10,"completion_tokens":4,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":6,"audio_tokens":2},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0,"accepted_prediction_tokens":3,"rejected_prediction_tokens":0}},"bulkhead":{"cost_usd":"0.0015","cache":"miss","provider":"p","model":"m-1","attempts":1,"overhead_ms":0.000}}"#
        )
        #expect(lines[3] == "data: [DONE]")
    }

    @Test("A call's id and name come once, its arguments in fragments with its index")
    func toolStream() throws {
        let lines = try stream([
            ChatAPI.ChatEvent(kind: .start, served: Self.served),
            ChatAPI.ChatEvent(kind: .toolCall, toolIndex: 1, id: "c", name: "f"),
            ChatAPI.ChatEvent(kind: .toolArguments, text: "{}", toolIndex: 1),
            ChatAPI.ChatEvent(kind: .finish, finish: .toolCalls),
        ])
        #expect(
            lines[1]
                == #"data: …{"index":0,"delta":{"tool_calls":[{"index":1,"id":"c","type":"function","function":{"name":"f","arguments":""}}]},"logprobs":null,"finish_reason":null}]}"#
        )
        #expect(
            lines[2]
                == #"data: …{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]},"logprobs":null,"finish_reason":null}]}"#
        )
        #expect(lines[3].contains(#""finish_reason":"tool_calls""#))
    }

    @Test("[DONE] is withheld while a choice has not finished")
    func incomplete() {
        #expect(throws: EdgeError.self) {
            try stream(
                [ChatAPI.ChatEvent(kind: .start, served: Self.served), ChatAPI.ChatEvent(kind: .finish, finish: .stop)],
                choices: 2)
        }
    }

    @Test("A whole answer puts text, calls and usage together")
    func whole() throws {
        var answer = CollectedAnswer()
        for event in [
            ChatAPI.ChatEvent(kind: .start, served: Self.served), ChatAPI.ChatEvent(kind: .text, text: "a"),
            ChatAPI.ChatEvent(kind: .text, text: "b"),
            ChatAPI.ChatEvent(kind: .toolCall, toolIndex: 0, id: "c", name: "f"),
            ChatAPI.ChatEvent(kind: .toolArguments, text: "{", toolIndex: 0),
            ChatAPI.ChatEvent(kind: .toolArguments, text: "}", toolIndex: 0),
            ChatAPI.ChatEvent(kind: .finish, finish: .toolCalls),
        ] { answer.add(event) }
        #expect(answer.isComplete(count: 1) && !answer.isComplete(count: 2))
        #expect(
            String(
                buffer: OpenAIChat().encode(
                    answer, to: ChatCall(chat: ChatAPI.ChatRequest()), AnswerFacts(), requestID: "req_1"))
                == #"{"id":"chatcmpl-1","object":"chat.completion","created":99,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"ab","refusal":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,"finish_reason":"tool_calls"}]}"#
        )
    }
}

@Suite("OpenAI chat: what providers and clients of this dialect alone know")
struct OpenAIChatMemberTests {
    private func decode(_ members: String) throws -> ChatCall {
        try OpenAIChat().decode(try JSON.parse(#"{"model":"m",\#(members)}"#))
    }

    @Test(
        "What came before tools is refused by name",
        arguments: [
            (#""messages":[{"role":"user","content":"x"}],"functions":[{"name":"f"}]"#, "functions"),
            (#""messages":[{"role":"user","content":"x"}],"function_call":"auto""#, "function_call"),
            (#""messages":[{"role":"function","name":"f","content":"x"}]"#, "messages[0].role"),
            (#""messages":[{"role":"assistant","function_call":{"name":"f","arguments":"{}"}}]"#, "messages[0].function_call"),
        ])
    func deprecated(_ members: String, _ param: String) {
        #expect { try decode(members) } throws: { error in
            (error as? EdgeError)?.code == "unsupported" && (error as? EdgeError)?.param == param
        }
    }

    @Test("Documents travel with their bytes; what is stored at a provider goes to that provider as it is")
    func documents() throws {
        let call = try decode(
            #"""
            "messages":[{"role":"user","content":[
             {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}},
             {"type":"file","file":{"file_id":"f_1"}},{"type":"input_audio","input_audio":{"data":"BB","format":"mp3"}}]}]
            """#)
        #expect(
            call.chat.messages[0].parts == [
                ChatAPI.Part(kind: .document, text: "AA==", name: "a.pdf", mediaType: "application/pdf"),
                ChatAPI.Part(kind: .raw, json: #"{"type":"file","file":{"file_id":"f_1"}}"#),
                ChatAPI.Part(kind: .audio, text: "BB", mediaType: "audio/mpeg"),
            ])
    }

    @Test("Members that are null are absent; unknown ones are kept for providers of this dialect")
    func unknown() throws {
        let call = try decode(
            #"""
            "temperature":null,"stop":null,"tools":null,"stream_options":{"include_usage":true,"include_obfuscation":false},
            "top_k":4,"thinking":{"type":"enabled","budget_tokens":9},"min_p":0.1,"messages":[{"role":"developer","content":"x"}]
            """#)
        #expect(call.chat.temperature == nil && call.chat.stop.isEmpty && call.chat.messages[0].role == .developer)
        #expect(call.chat.topK == 4 && call.chat.reasoningBudget == 9 && call.includesUsage)
        let extra = try JSON.parse(try #require(call.chat.extraJson))
        #expect(extra["stream_options"] == ["include_obfuscation": false] && extra["min_p"] == 0.1 && extra["top_k"] == 4)
    }

    private static let served = ChatAPI.Served(
        provider: "p", model: "m-1", responseID: "c-1", created: 9, dialect: .openaiChat, systemFingerprint: "fp",
        serviceTier: "flex")
    private static let events = [
        ChatAPI.ChatEvent(kind: .start, served: served), ChatAPI.ChatEvent(kind: .text, text: "a"),
        ChatAPI.ChatEvent(kind: .logprobs, json: #"{"content":[{"token":"a"}],"refusal":null}"#),
        ChatAPI.ChatEvent(
            kind: .rawDelta, json: #"{"annotations":[{"type":"url_citation"}],"audio":{"id":"x","transcript":"he"}}"#),
        ChatAPI.ChatEvent(kind: .rawDelta, json: #"{"audio":{"id":"x","transcript":"llo"}}"#),
        ChatAPI.ChatEvent(kind: .finish, finish: .stop),
    ]

    @Test("Fingerprint, tier, annotations and logprobs beside their text reach clients of a stream")
    func stream() throws {
        let call = ChatCall(chat: ChatAPI.ChatRequest(logprobs: true))
        var (writer, bytes) = (OpenAIChat().stream(call, requestID: "r"), ByteBuffer())
        for event in Self.events { try writer.write(event, into: &bytes) }
        try writer.finish(AnswerFacts(served: Self.served), into: &bytes)
        let chunks = String(buffer: bytes).split(separator: "\n\n").compactMap { try? JSON.parse(String($0.dropFirst(6))) }
        #expect(chunks.allSatisfy { $0["system_fingerprint"] == "fp" && $0["service_tier"] == "flex" })
        let text = try #require(chunks.first { $0["choices"]?[0]?["delta"]?["content"] == "a" })
        #expect(text["choices"]?[0]?["logprobs"]?["content"]?[0]?["token"] == "a")
        #expect(chunks.contains { $0["choices"]?[0]?["delta"]?["annotations"]?[0]?["type"] == "url_citation" })
    }

    @Test("A whole answer has what the deltas said put together; clients of other dialects do not see it")
    func whole() throws {
        var answer = CollectedAnswer()
        for event in Self.events { answer.add(event) }
        let call = ChatCall(chat: ChatAPI.ChatRequest())
        let body = try JSON.parse(OpenAIChat().encode(answer, to: call, AnswerFacts(), requestID: "r"))
        let message = body["choices"]?[0]?["message"]
        #expect(body["system_fingerprint"] == "fp" && message?["annotations"] == [["type": "url_citation"]])
        #expect(message?["audio"] == ["id": "x", "transcript": "hello"])
        answer.add(
            ChatAPI.ChatEvent(
                kind: .rawDelta, json: #"{"tool_calls":[{"index":0,"id":"c","type":"custom","custom":{"name":"f","input":"x"}}]}"#
            ))
        let calling = try JSON.parse(OpenAIChat().encode(answer, to: call, AnswerFacts(), requestID: "r"))
        #expect(
            calling["choices"]?[0]?["message"]?["tool_calls"] == [
                ["id": "c", "type": "custom", "custom": ["name": "f", "input": "x"]]
            ])
        let other = try JSON.parse(AnthropicChat().encode(answer, to: call, AnswerFacts(), requestID: "r"))
        #expect(other["content"] == [["type": "text", "text": "a"]])
    }
}
