import BulkheadAPI
import NIOCore
import RouterService
import Testing

/// Feeds events to a decoder as a stream of one line of data each.
private func decode(_ decoder: inout AnswerDecoder, _ lines: [String]) throws -> [ChatAPI.ChatEvent] {
    var events: [ChatAPI.ChatEvent] = []
    for line in lines { try decoder.feed(ByteBuffer(string: "data: \(line)\n\n"), into: &events) }
    return events
}

struct OpenAIDecoderTests {
    private func chunk(_ choice: String) -> String { #"{"id":"c1","created":7,"choices":[\#(choice)]}"# }

    @Test("text, refusal, reasoning and logprobs come in order, the role alone is nothing")
    func deltas() throws {
        var decoder = AnswerDecoder(.openai, choices: 1)
        let events = try decode(
            &decoder,
            [
                #"{"id":"c1","created":7,"choices":[],"prompt_filter_results":[]}"#,
                chunk(#"{"index":0,"delta":{"role":"assistant","content":""}}"#),
                chunk(#"{"index":0,"delta":{"reasoning_content":"hm"}}"#),
                chunk(#"{"index":0,"delta":{"content":"Hello"},"logprobs":{"content":[{"token":"Hello"}]}}"#),
                chunk(#"{"index":0,"delta":{"refusal":"No."}}"#), chunk(#"{"index":0,"delta":{},"finish_reason":"stop"}"#),
            ])
        #expect(events.map(\.kind) == [.thinking, .text, .logprobs, .refusal, .finish])
        #expect(events[2].json == #"{"content":[{"token":"Hello"}]}"#)
        #expect(decoder.isComplete && !decoder.isOver)
        _ = try decode(
            &decoder,
            [
                #"{"id":"c1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#
            ])
        #expect(decoder.isOver)
        #expect(decoder.meta.usage == .init(inputTokens: 9, outputTokens: 3, cachedInputTokens: 4, reasoningTokens: 2))
        #expect(decoder.meta.id == "c1" && decoder.meta.created == 7)
    }

    @Test("parallel tool calls keep their indexes without gaps, and end as tool_calls whatever the provider says")
    func tools() throws {
        var decoder = AnswerDecoder(.openai, choices: 1)
        let events = try decode(
            &decoder,
            [
                chunk(#"{"index":0,"delta":{"tool_calls":[{"index":1,"id":"a","function":{"name":"f","arguments":""}}]}}"#),
                chunk(#"{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{\"x\""}}]}}"#),
                chunk(#"{"index":0,"delta":{"tool_calls":[{"index":3,"id":"b","function":{"name":"g","arguments":"{}"}}]}}"#),
                chunk(#"{"index":0,"delta":{"tool_calls":[{"index":1,"function":{"arguments":":1}"}}]}}"#),
                chunk(#"{"index":0,"delta":{},"finish_reason":"stop"}"#),
            ])
        #expect(events.map(\.kind) == [.toolCall, .toolArguments, .toolCall, .toolArguments, .toolArguments, .finish])
        #expect(events.map(\.toolIndex) == [0, 0, 1, 1, 0, 0])
        #expect(events.filter { $0.toolIndex == 0 && $0.kind == .toolArguments }.map(\.text).joined() == #"{"x":1}"#)
        #expect(events[0].id == "a" && events[2].name == "g")
        #expect(events.last?.finish == .toolCalls && events.last?.rawFinish == "stop")
    }

    @Test("with several choices the answer is complete when all are, or when [DONE] says so")
    func choices() throws {
        var decoder = AnswerDecoder(.openai, choices: 2)
        _ = try decode(&decoder, [chunk(#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#)])
        #expect(!decoder.isComplete)
        var whole = decoder
        _ = try decode(&whole, [chunk(#"{"index":1,"delta":{"content":"b"},"finish_reason":"length"}"#)])
        #expect(whole.isComplete)
        _ = try decode(&decoder, ["[DONE]"])
        #expect(decoder.isComplete && decoder.isOver)
    }

    @Test("[DONE] without finish_reason proves nothing")
    func doneAlone() throws {
        var decoder = AnswerDecoder(.openai, choices: 1)
        _ = try decode(&decoder, [chunk(#"{"index":0,"delta":{"content":"half"}}"#), "[DONE]"])
        #expect(!decoder.isComplete)
    }

    @Test("broken JSON, foreign indexes and error events are faults")
    func faults() {
        for line in [
            #"{"choices":[{"#, chunk(#"{"index":-1,"delta":{}}"#), chunk(#"{"index":4096,"delta":{}}"#),
            #"{"error":{"message":"x"}}"#,
        ] {
            var decoder = AnswerDecoder(.openai, choices: 1)
            #expect(throws: DecodeFault.self) { try decode(&decoder, [line]) }
        }
    }

    @Test("a whole answer gives the same events as a stream")
    func whole() throws {
        var decoder = AnswerDecoder(.openai, choices: 1)
        let body = """
            {"id":"c1","created":7,"choices":[{"index":0,"message":{"role":"assistant","content":"Hi","tool_calls":[{"id":"a","type":"function",
            "function":{"name":"f","arguments":"{}"}},{"id":"b","type":"function","function":{"name":"g","arguments":"{}"}}]},
            "logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}
            """
        let events = try decoder.takeWhole(ByteBuffer(string: body))
        #expect(events.map(\.kind) == [.text, .toolCall, .toolArguments, .toolCall, .toolArguments, .finish])
        #expect(events.map(\.toolIndex) == [0, 0, 0, 1, 1, 0])
        #expect(decoder.isOver && decoder.meta.usage?.outputTokens == 2)
    }

    @Test(
        "a 200 that is no answer is a fault",
        arguments: [
            "", "<html>", "{}", #"{"choices":[]}"#, #"{"choices":[{"message":{"content":"x"}}]}"#, #"{"error":{"message":"x"}}"#,
        ])
    func noAnswer(body: String) {
        var decoder = AnswerDecoder(.openai, choices: 1)
        #expect(throws: DecodeFault.self) { _ = try decoder.takeWhole(ByteBuffer(string: body)) }
    }
}

struct AnthropicDecoderTests {
    @Test("blocks become thinking, signature, text and tool calls; usage counts cached input")
    func stream() throws {
        var decoder = AnswerDecoder(.anthropic)
        let events = try decode(
            &decoder,
            [
                #"{"type":"message_start","message":{"id":"m1","usage":{"input_tokens":10,"cache_read_input_tokens":3,"cache_creation_input_tokens":2,"output_tokens":1}}}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}"#,
                #"{"type":"content_block_stop","index":0}"#, #"{"type":"ping"}"#,
                #"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
                #"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello"}}"#,
                #"{"type":"content_block_stop","index":1}"#,
                #"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
                #"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":1}"}}"#,
                #"{"type":"content_block_stop","index":2}"#,
                #"{"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}}"#,
                #"{"type":"content_block_stop","index":3}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":25}}"#,
            ])
        #expect(
            events.map(\.kind) == [
                .thinking, .signature, .keepalive, .text, .toolCall, .toolArguments, .toolCall, .toolArguments, .finish,
            ])
        #expect(events.map(\.toolIndex) == [0, 0, 0, 0, 0, 0, 1, 1, 0])
        #expect(events[1].signature == "sig" && events[7].text == "{}")
        #expect(events.last?.finish == .toolCalls && events.last?.rawFinish == "tool_use")
        #expect(decoder.isComplete && !decoder.isOver)
        _ = try decode(&decoder, [#"{"type":"message_stop"}"#])
        #expect(decoder.isOver)
        #expect(decoder.meta.id == "m1")
        #expect(decoder.meta.usage == .init(inputTokens: 15, outputTokens: 25, cachedInputTokens: 3, cacheCreationInputTokens: 2))
    }

    @Test(
        "stop reasons have their canonical words",
        arguments: [
            ("end_turn", ChatAPI.FinishReason.stop), ("stop_sequence", .stop), ("pause_turn", .pause), ("max_tokens", .length),
            ("model_context_window_exceeded", .length), ("tool_use", .toolCalls), ("refusal", .contentFilter),
        ])
    func reasons(raw: String, finish: ChatAPI.FinishReason) throws {
        var decoder = AnswerDecoder(.anthropic)
        let events = try decode(
            &decoder, [#"{"type":"message_delta","delta":{"stop_reason":"\#(raw)","stop_sequence":"END"},"usage":{}}"#])
        #expect(events == [.init(kind: .finish, finish: finish, rawFinish: raw, stopSequence: "END")])
    }

    @Test("message_stop without a stop reason proves nothing")
    func stopAlone() throws {
        var decoder = AnswerDecoder(.anthropic)
        _ = try decode(&decoder, [#"{"type":"message_stop"}"#])
        #expect(!decoder.isComplete)
    }

    @Test("an overloaded event is the provider's error")
    func errorEvent() {
        var decoder = AnswerDecoder(.anthropic)
        #expect(
            throws: DecodeFault.provider(
                ProviderError(inStream: ["type": "error", "error": ["type": "overloaded_error", "message": "Overloaded"]]))
        ) {
            try decode(&decoder, [#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#])
        }
    }

    @Test("a whole answer gives the same events as a stream")
    func whole() throws {
        var decoder = AnswerDecoder(.anthropic)
        let body = """
            {"id":"m1","type":"message","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Hi"},
            {"type":"tool_use","id":"a","name":"f","input":{"x":1}}],"stop_reason":"tool_use","stop_sequence":null,
            "usage":{"input_tokens":4,"output_tokens":5}}
            """
        let events = try decoder.takeWhole(ByteBuffer(string: body))
        #expect(events.map(\.kind) == [.thinking, .signature, .text, .toolCall, .toolArguments, .finish])
        #expect(events[4].text == #"{"x":1}"#)
        #expect(decoder.isOver && decoder.meta.usage == .init(inputTokens: 4, outputTokens: 5))
    }

    @Test(
        "a 200 that is no answer is a fault",
        arguments: ["", "{}", #"{"content":[]}"#, #"{"type":"error","error":{"message":"x"}}"#])
    func noAnswer(body: String) {
        var decoder = AnswerDecoder(.anthropic)
        #expect(throws: DecodeFault.self) { _ = try decoder.takeWhole(ByteBuffer(string: body)) }
    }
}

struct EmbeddingDecoderTests {
    @Test("vectors come back in the order of the inputs")
    func order() throws {
        let body = #"{"data":[{"index":1,"embedding":[2,0.5]},{"index":0,"embedding":[1,-1]}],"usage":{"prompt_tokens":6}}"#
        let (vectors, tokens) = try OpenAIEmbeddings.decode(ByteBuffer(string: body), count: 2)
        #expect(vectors.map(\.values) == [[1, -1], [2, 0.5]] && tokens == 6)
    }

    @Test(
        "missing, foreign or empty vectors are faults",
        arguments: [
            #"{"data":[]}"#, #"{"data":[{"index":2,"embedding":[1]}]}"#, #"{"data":[{"index":0,"embedding":[]}]}"#,
            #"{"data":[{"index":0,"embedding":["x"]}]}"#, #"{"data":[{"index":0,"embedding":[1e300]}]}"#, "no",
        ])
    func faults(body: String) {
        #expect(throws: DecodeFault.self) { _ = try OpenAIEmbeddings.decode(ByteBuffer(string: body), count: 1) }
    }
}
