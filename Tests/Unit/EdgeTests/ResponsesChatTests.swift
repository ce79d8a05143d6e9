import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("OpenAI Responses")
struct ResponsesChatTests {
    private func decode(_ text: String) throws -> ChatCall { try ResponsesChat().decode(try JSON.parse(text)) }

    @Test("A request with everything becomes canonical; an assistant's items become one message")
    func full() throws {
        let call = try decode(
            #"""
            {"model":"m","instructions":"be brief","max_output_tokens":50,"temperature":0.5,"user":"u","store":true,"stream":true,
             "include":["message.output_text.logprobs"],"reasoning":{"effort":"low","summary":"auto"},"metadata":{"a":"b"},
             "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true},"verbosity":"low"},
             "tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true},{"type":"web_search"}],
             "tool_choice":{"type":"function","name":"f"},
             "input":[{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"https://x/y.png","detail":"low"},
               {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,AA"},{"type":"input_file","file_id":"f_1"}]},
              {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"e"},
              {"type":"message","role":"assistant","id":"msg_1","status":"completed","content":[{"type":"output_text","text":"a","annotations":[]}]},
              {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
              {"type":"function_call_output","call_id":"c1","output":"42"},
              {"type":"web_search_call","id":"ws_1","status":"completed"}]}
            """#)
        let chat = call.chat
        #expect(chat.maxTokens == 50 && chat.temperature == 0.5 && chat.endUser == "u" && chat.stream && chat.logprobs == true)
        #expect(chat.reasoningEffort == "low" && chat.reasoningSummary == "auto")
        #expect(chat.toolMode == .named && chat.toolName == "f" && chat.tools[1].rawJson == #"{"type":"web_search"}"#)
        #expect(chat.tools[0] == ChatAPI.Tool(name: "f", schemaJson: #"{"type":"object"}"#, strict: true))
        #expect(
            chat.responseFormatJson
                == #"{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}"#)
        let extra = try JSON.parse(try #require(chat.extraJson))
        #expect(extra["metadata"] == ["a": "b"] && extra["text"]?["verbosity"] == "low" && extra["store"] == nil)
        #expect(
            chat.messages == [
                ChatAPI.Message(role: .system, parts: [ChatAPI.Part(kind: .text, text: "be brief")]),
                ChatAPI.Message(
                    role: .user,
                    parts: [
                        ChatAPI.Part(kind: .text, text: "see"),
                        ChatAPI.Part(kind: .image, url: "https://x/y.png", extraJson: #"{"detail":"low"}"#),
                        ChatAPI.Part(kind: .document, text: "AA", name: "a.pdf", mediaType: "application/pdf"),
                        ChatAPI.Part(kind: .raw, json: #"{"type":"input_file","file_id":"f_1"}"#),
                    ]),
                ChatAPI.Message(
                    role: .assistant,
                    parts: [
                        ChatAPI.Part(kind: .thinking, text: "hm", id: "rs_1", signature: "e"),
                        ChatAPI.Part(kind: .text, text: "a"),
                        ChatAPI.Part(kind: .toolCall, id: "c1", name: "f", json: #"{"a":1}"#),
                    ]),
                ChatAPI.Message(role: .tool, parts: [ChatAPI.Part(kind: .toolResult, text: "42", id: "c1")]),
                ChatAPI.Message(
                    role: .assistant,
                    parts: [ChatAPI.Part(kind: .raw, json: #"{"type":"web_search_call","id":"ws_1","status":"completed"}"#)]),
            ])
    }

    @Test(
        "What needs stored state is refused by name",
        arguments: [
            (#","input":"x","previous_response_id":"resp_1""#, "previous_response_id"),
            (#","input":"x","conversation":"conv_1""#, "conversation"), (#","input":"x","background":true"#, "background"),
            (#","input":[{"type":"item_reference","id":"msg_1"}]"#, "input[0].id"),
        ])
    func stateful(_ members: String, _ param: String) {
        #expect { try decode(#"{"model":"m"\#(members)}"#) } throws: { error in
            guard let error = error as? EdgeError else { return false }
            return error.status == 400 && error.code == "unsupported" && error.param == param
        }
    }

    @Test(
        "What is missing or wrong is named by its path",
        arguments: [
            ("", "input"), (#","input":[]"#, "input"), (#","input":7"#, "input"),
            (#","input":[{"role":"king","content":"x"}]"#, "input[0].role"),
            (#","input":[{"role":"user","content":7}]"#, "input[0].content"), (#","input":[{}]"#, "input[0].type"),
            (#","input":[{"type":"function_call","name":"f"}]"#, "input[0].call_id"),
            (#","input":"x","max_output_tokens":0"#, "max_output_tokens"),
            (#","input":"x","tools":[{"type":"function"}]"#, "tools[0].name"),
            (#","input":"x","text":{"format":{"type":"json_schema"}}"#, "text.format.name"),
        ])
    func wrong(_ members: String, _ param: String) {
        #expect { try decode(#"{"model":"m"\#(members)}"#) } throws: { ($0 as? EdgeError)?.param == param }
    }

    private static let served = ChatAPI.Served(
        provider: "p", model: "m-1", responseID: "chatcmpl-9", created: 9, dialect: .openaiChat)
    private static let usage = ChatAPI.Usage(inputTokens: 10, outputTokens: 4, cachedInputTokens: 6, reasoningTokens: 1)

    private func stream(
        _ events: [ChatAPI.ChatEvent], served: ChatAPI.Served = served, chat: ChatAPI.ChatRequest = ChatAPI.ChatRequest()
    ) throws -> [JSON] {
        var (writer, bytes) = (ResponsesChat().stream(ChatCall(chat: chat), requestID: "req_1"), ByteBuffer())
        for event in [ChatAPI.ChatEvent(kind: .start, served: served)] + events { try writer.write(event, into: &bytes) }
        try writer.write(ChatAPI.ChatEvent(kind: .usage, usage: Self.usage), into: &bytes)
        try writer.finish(AnswerFacts(served: served, usage: Self.usage), into: &bytes)
        return try Self.events(bytes)
    }

    /// The data of the events; their names repeat as `type`, their numbers rise by one.
    private static func events(_ bytes: ByteBuffer) throws -> [JSON] {
        let events = try String(buffer: bytes).split(separator: "\n\n").map { event in
            let lines = event.split(separator: "\n")
            let json = try JSON.parse(String(lines[1].dropFirst("data: ".count)))
            #expect(lines.count == 2 && lines[0] == "event: \(json["type"]?.string ?? "")")
            return json
        }
        #expect(events.compactMap { $0["sequence_number"]?.int } == Array(0 ..< events.count))
        return events
    }

    private func whole(_ events: [ChatAPI.ChatEvent], served: ChatAPI.Served = served) throws -> JSON {
        var answer = CollectedAnswer()
        for event in [ChatAPI.ChatEvent(kind: .start, served: served)] + events { answer.add(event) }
        answer.usage = Self.usage
        let call = ChatCall(chat: ChatAPI.ChatRequest())
        return try JSON.parse(ResponsesChat().encode(answer, to: call, AnswerFacts(), requestID: "req_1"))
    }

    @Test("Text: created, in progress, item, part, deltas, and everything closed before completed")
    func text() throws {
        let answer = [
            ChatAPI.ChatEvent(kind: .text, text: "a"), ChatAPI.ChatEvent(kind: .text, text: "b"),
            ChatAPI.ChatEvent(kind: .finish, finish: .stop),
        ]
        let events = try stream(answer)
        #expect(
            events.compactMap { $0["type"]?.string } == [
                "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                "response.output_text.delta", "response.output_text.delta", "response.output_text.done",
                "response.content_part.done", "response.output_item.done", "response.completed",
            ])
        #expect(events[0]["response"]?["status"] == "in_progress" && events[0]["response"]?["output"] == [])
        #expect(events[6]["text"] == "ab" && events[6]["item_id"] == events[2]["item"]?["id"])
        let response = try #require(events.last?["response"])
        let other = try whole(answer)
        #expect(response == other)
        #expect(response["id"] == "resp_chatcmpl-9" && response["model"] == "m-1" && response["store"] == false)
        #expect(response["output"]?[0]?["content"]?[0]?["text"] == "ab" && response["status"] == "completed")
        #expect(response["usage"]?["total_tokens"] == 14 && response["usage"]?["input_tokens_details"]?["cached_tokens"] == 6)
        #expect(events.last?["bulkhead"]?["provider"] == "p")
    }

    @Test("Parallel calls are items of their own; a call without arguments has the empty object")
    func calls() throws {
        let answer = [
            ChatAPI.ChatEvent(kind: .toolCall, toolIndex: 0, id: "c0", name: "f"),
            ChatAPI.ChatEvent(kind: .toolArguments, text: "{\"a\":", toolIndex: 0),
            ChatAPI.ChatEvent(kind: .toolArguments, text: "1}", toolIndex: 0),
            ChatAPI.ChatEvent(kind: .toolCall, toolIndex: 1, id: "c1", name: "g"),
            ChatAPI.ChatEvent(kind: .finish, finish: .toolCalls),
        ]
        let events = try stream(answer)
        let response = try #require(events.last?["response"])
        let other = try whole(answer)
        #expect(response == other && response["status"] == "completed")
        #expect(response["output"]?[0]?["arguments"] == "{\"a\":1}" && response["output"]?[1]?["arguments"] == "{}")
        #expect(response["output"]?[1]?["call_id"] == "c1")
        let done = events.filter { $0["type"] == "response.function_call_arguments.done" }
        #expect(done.compactMap { $0["output_index"]?.int } == [0, 1])
    }

    @Test("Reasoning is told as a summary, or as itself where the provider shows the thoughts")
    func reasoning() throws {
        let answer = [
            ChatAPI.ChatEvent(kind: .thinking, text: "hm"), ChatAPI.ChatEvent(kind: .refusal, text: "no"),
            ChatAPI.ChatEvent(kind: .finish, finish: .stop),
        ]
        let thoughts = try stream(answer)
        #expect(thoughts.contains { $0["type"] == "response.reasoning_text.delta" && $0["delta"] == "hm" })
        #expect(thoughts.last?["response"]?["output"]?[0]?["content"] == [["type": "reasoning_text", "text": "hm"]])
        var native = Self.served
        native.dialect = .openaiResponses
        let kinds = try stream(answer, served: native).compactMap { $0["type"]?.string }
        #expect(
            kinds.filter { $0.contains("reasoning") || $0.contains("refusal") } == [
                "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
                "response.reasoning_summary_text.done", "response.reasoning_summary_part.done", "response.refusal.delta",
                "response.refusal.done",
            ])
        #expect(try stream(answer, served: native).last?["response"] == whole(answer, served: native))
    }

    @Test(
        "An answer that was cut short is incomplete and says why",
        arguments: [(ChatAPI.FinishReason.length, "max_output_tokens"), (.contentFilter, "content_filter")])
    func incomplete(_ finish: ChatAPI.FinishReason, _ reason: String) throws {
        let answer = [ChatAPI.ChatEvent(kind: .text, text: "a"), ChatAPI.ChatEvent(kind: .finish, finish: finish)]
        let last = try #require(try stream(answer).last)
        #expect(last["type"] == "response.incomplete" && last["response"]?["incomplete_details"]?["reason"]?.string == reason)
        let other = try whole(answer)
        #expect(last["response"]?["output"]?[0]?["status"] == "incomplete" && last["response"] == other)
    }

    @Test("A failure of a running answer is response.failed with what there was; before that it is an error event")
    func failures() throws {
        let error = EdgeError(.badGateway, code: "stream_broken", message: "It broke.")
        var (writer, bytes) = (ResponsesChat().stream(ChatCall(chat: ChatAPI.ChatRequest()), requestID: "r"), ByteBuffer())
        writer.fail(error, into: &bytes)
        #expect(
            String(buffer: bytes)
                == "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"stream_broken\",\"message\":\"It broke.\",\"param\":null}\n\n"
        )
        bytes.clear()
        try writer.write(ChatAPI.ChatEvent(kind: .start, served: Self.served), into: &bytes)
        try writer.write(ChatAPI.ChatEvent(kind: .text, text: "a"), into: &bytes)
        #expect(throws: EdgeError.self) { try writer.finish(AnswerFacts(), into: &bytes) }
        writer.fail(error, into: &bytes)
        let last = try #require(try Self.events(bytes).last)
        #expect(last["type"] == "response.failed" && last["response"]?["error"]?["code"] == "stream_broken")
        #expect(last["response"]?["status"] == "failed" && last["response"]?["output"]?[0]?["content"]?[0]?["text"] == "a")
    }

    @Test("What only this dialect knows is shown to its clients: items with their events, and annotations")
    func raw() throws {
        var native = Self.served
        (native.dialect, native.responseID) = (.openaiResponses, "resp_7")
        let answer = [
            ChatAPI.ChatEvent(kind: .rawBlock, json: #"{"type":"web_search_call","id":"ws_1","status":"in_progress"}"#),
            ChatAPI.ChatEvent(
                kind: .rawDelta, json: #"{"type":"response.web_search_call.searching","item_id":"ws_1","output_index":5}"#),
            ChatAPI.ChatEvent(
                kind: .rawDelta,
                json: #"{"type":"response.output_item.done","item":{"type":"web_search_call","id":"ws_1","status":"completed"}}"#),
            ChatAPI.ChatEvent(kind: .text, text: "a"),
            ChatAPI.ChatEvent(
                kind: .rawDelta,
                json: #"{"type":"response.output_text.annotation.added","annotation":{"type":"url_citation","url":"https://x"}}"#),
            ChatAPI.ChatEvent(kind: .finish, finish: .stop),
        ]
        let events = try stream(answer, served: native)
        #expect(events.contains { $0["type"] == "response.web_search_call.searching" && $0["output_index"] == 0 })
        #expect(events.contains { $0["type"] == "response.output_text.annotation.added" && $0["annotation_index"] == 0 })
        let response = try #require(events.last?["response"])
        let other = try whole(answer, served: native)
        #expect(response == other && response["id"] == "resp_7")
        #expect(response["output"]?[0]?["status"] == "completed")
        #expect(response["output"]?[1]?["content"]?[0]?["annotations"]?[0]?["url"] == "https://x")
        #expect(try stream(answer).last?["response"]?["output"]?[0]?["type"] == "message", "others do not see it")
    }

    @Test("Logprobs that were asked for stand beside their text")
    func logprobs() throws {
        let events = try stream(
            [
                ChatAPI.ChatEvent(kind: .text, text: "a"),
                ChatAPI.ChatEvent(kind: .logprobs, json: #"{"content":[{"token":"a","logprob":-0.5}],"refusal":null}"#),
                ChatAPI.ChatEvent(kind: .finish, finish: .stop),
            ], chat: ChatAPI.ChatRequest(logprobs: true))
        let delta = try #require(events.first { $0["type"] == "response.output_text.delta" })
        #expect(delta["delta"] == "a" && delta["logprobs"]?[0]?["token"] == "a")
        #expect(events.last?["response"]?["output"]?[0]?["content"]?[0]?["logprobs"]?[0]?["logprob"] == -0.5)
    }
}
