import BulkheadAPI
import NIOCore
import RouterService
import Testing

/// What a provider may send to do harm, or out of its own trouble.
struct HostileAnswerTests {
    private static let dialects: [ProviderDialect] = [.openai, .openaiResponses, .anthropic, .gemini, .bedrock]

    /// The fault that a stream ends with; nil when it is merely not complete.
    private func fault(_ dialect: ProviderDialect, _ bytes: ByteBuffer) -> DecodeFault? {
        var decoder = AnswerDecoder(dialect)
        var events: [ChatAPI.ChatEvent] = []
        do throws(DecodeFault) { try decoder.feed(bytes, into: &events) } catch { return error }
        #expect(!decoder.isComplete)
        return nil
    }

    @Test("bytes that are no stream of the dialect never make an answer", arguments: dialects)
    func noise(_ dialect: ProviderDialect) {
        let zeros = ByteBuffer(repeating: 0, count: 4096)
        let high = ByteBuffer(repeating: 0xff, count: 4096)
        for bytes in [ByteBuffer(string: "<html><body>502</body></html>"), zeros, high] { _ = fault(dialect, bytes) }
        let events = ["{}", "[]", "null", "1e308", "\"x\"", "{\"choices\":[[]]}", "{\"type\":7}"]
        for event in events { _ = fault(dialect, ByteBuffer(string: "data: \(event)\n\n")) }
        for event in events {
            var decoder = AnswerDecoder(dialect)
            #expect(throws: DecodeFault.self) { try decoder.takeWhole(ByteBuffer(string: event)) }
        }
    }

    @Test("JSON that nests too deep is malformed, not a crash", arguments: dialects)
    func nesting(_ dialect: ProviderDialect) {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        var decoder = AnswerDecoder(dialect)
        #expect(throws: DecodeFault.malformed("sent something that is no JSON")) {
            try decoder.takeWhole(ByteBuffer(string: deep))
        }
        let bytes =
            dialect == .bedrock ? EventFrames.encode([("contentBlockDelta", deep)]) : ByteBuffer(string: "data: \(deep)\n\n")
        #expect(fault(dialect, bytes) == .malformed("sent something that is no JSON"))
    }

    @Test("an event beyond the limit is malformed before it is whole", arguments: dialects)
    func size(_ dialect: ProviderDialect) {
        var bytes = ByteBuffer(string: dialect == .bedrock ? "" : "data: ")
        if dialect == .bedrock {
            bytes.writeInteger(UInt32(17 << 20))
            bytes.writeInteger(UInt32(0))
            bytes.writeInteger(CRC32.of(bytes.readableBytesView))
        } else {
            bytes.writeRepeatingByte(UInt8(ascii: "x"), count: 17 << 20)
        }
        #expect(fault(dialect, bytes) != nil)
    }

    @Test("counts beyond all measure are cut, and their sums are numbers")
    func numbers() throws {
        let most = "9223372036854775807"
        var anthropic = AnswerDecoder(.anthropic)
        _ = try anthropic.takeWhole(
            ByteBuffer(
                string:
                    #"{"content":[],"stop_reason":"end_turn","usage":{"input_tokens":\#(most),"cache_read_input_tokens":\#(most),"cache_creation_input_tokens":1e300,"output_tokens":-5}}"#
            ))
        #expect(anthropic.meta.usage?.inputTokens == 3 << 40 && anthropic.meta.usage?.outputTokens == 0)
        var gemini = AnswerDecoder(.gemini)
        _ = try gemini.takeWhole(
            ByteBuffer(
                string:
                    #"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":18446744073709551615,"candidatesTokenCount":\#(most),"thoughtsTokenCount":\#(most)}}"#
            ))
        #expect(gemini.meta.usage?.outputTokens == 2 << 40)
        var openai = AnswerDecoder(.openai)
        _ = try openai.takeWhole(
            ByteBuffer(
                string:
                    #"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":\#(most),"completion_tokens":\#(most),"total_tokens":\#(most),"completion_tokens_details":{"reasoning_tokens":\#(most)}}}"#
            ))
        #expect(openai.meta.usage?.outputTokens == 1 << 40)
    }

    @Test("more tool calls than anybody makes are malformed")
    func calls() {
        let calls = (0 ..< 2000).map { #"{"index":\#($0),"id":"c\#($0)","function":{"name":"f"}}"# }.joined(separator: ",")
        let chunk = #"data: {"choices":[{"index":0,"delta":{"tool_calls":[\#(calls)]}}]}"# + "\n\n"
        #expect(fault(.openai, ByteBuffer(string: chunk)) == .malformed("made more than 1024 tool calls"))
    }

    @Test(
        "indexes that cannot be are malformed",
        arguments: [
            #"{"choices":[{"index":-1,"delta":{}}]}"#, #"{"choices":[{"index":1.5,"delta":{}}]}"#,
            #"{"choices":[{"index":"0","delta":{}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":-9223372036854775808,"id":"x"}]}}]}"#,
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":9223372036854775807,"id":"x"},{"id":"y"}]}}]}"#,
        ])
    func indexes(event: String) {
        #expect(fault(.openai, ByteBuffer(string: "data: \(event)\n\n")) != nil)
    }

    @Test("every flipped bit of a binary stream is noticed")
    func checksums() {
        let good = EventFrames.encode([("messageStop", #"{"stopReason":"end_turn"}"#)])
        for place in 0 ..< good.readableBytes {
            var bad = good
            let byte = good.getInteger(at: place, as: UInt8.self) ?? 0
            bad.setInteger(byte ^ 0x10, at: place)
            var decoder = AnswerDecoder(.bedrock)
            var events: [ChatAPI.ChatEvent] = []
            do throws(DecodeFault) { try decoder.feed(bad, into: &events) } catch { continue }
            #expect(!decoder.isComplete, "byte \(place)")
        }
    }

    @Test("what stands before a broken binary event counts, and nothing behind a whole answer does")
    func brokenBehind() throws {
        let text = ("contentBlockDelta", #"{"contentBlockIndex":0,"delta":{"text":"a"}}"#)
        var begun = EventFrames.encode([text])
        begun.writeRepeatingByte(7, count: 12)
        var decoder = AnswerDecoder(.bedrock)
        var events: [ChatAPI.ChatEvent] = []
        #expect(throws: DecodeFault.self) { try decoder.feed(begun, into: &events) }
        #expect(events.map(\.text) == ["a"])
        var whole = EventFrames.encode([
            text, ("messageStop", #"{"stopReason":"end_turn"}"#), ("metadata", #"{"usage":{"inputTokens":1}}"#),
        ])
        whole.writeRepeatingByte(7, count: 12)
        decoder = AnswerDecoder(.bedrock)
        events = []
        try decoder.feed(whole, into: &events)
        #expect(decoder.isComplete && decoder.isOver && events.map(\.kind) == [.text, .finish])
    }

    @Test("headers of a binary event that lie about their lengths are malformed")
    func headers() {
        for headers in [[UInt8](arrayLiteral: 200, 65), [1, 65, 7, 255, 255], [1, 65, 99], [0]] {
            let message = EventFrames.message(ByteBuffer(bytes: headers), ByteBuffer(string: "{}"))
            #expect(fault(.bedrock, message) == .malformed("sent an event with broken headers"))
        }
        var lengths = ByteBuffer()
        lengths.writeInteger(UInt32(20))
        lengths.writeInteger(UInt32(100))
        lengths.writeInteger(CRC32.of(lengths.readableBytesView))
        lengths.writeRepeatingByte(0, count: 8)
        #expect(fault(.bedrock, lengths) == .malformed("sent an event whose lengths cannot be"))
    }

    @Test("the checksum is the standard's")
    func standard() { #expect(CRC32.of("123456789".utf8) == 0xcbf4_3926) }

    @Test("a list in the place of content makes no more events than an answer may have parts")
    func contentList() {
        for content in ["[1,2]", "[[]]", "[" + String(repeating: "{},", count: DecodeBounds.blocks) + "{}]"] {
            var decoder = AnswerDecoder(.openai)
            #expect(throws: DecodeFault.malformed("sent content that is neither text nor parts")) {
                try decoder.takeWhole(ByteBuffer(string: #"{"choices":[{"message":{"content":\#(content)}}]}"#))
            }
        }
    }

    @Test("an empty word for the end is none: gateways send it with every event")
    func emptyFinish() throws {
        let openAI = ["hel", "lo"].map { #"{"choices":[{"index":0,"delta":{"content":"\#($0)"},"finish_reason":""}]}"# }
        let gemini = ["hel", "lo"].map { #"{"candidates":[{"content":{"parts":[{"text":"\#($0)"}]},"finishReason":""}]}"# }
        for (dialect, chunks) in [(ProviderDialect.openai, openAI), (.gemini, gemini)] {
            var decoder = AnswerDecoder(dialect)
            var events: [ChatAPI.ChatEvent] = []
            for chunk in chunks { try decoder.feed(ByteBuffer(string: "data: \(chunk)\n\n"), into: &events) }
            #expect(events.map(\.text) == ["hel", "lo"] && !decoder.isComplete)
        }
        var anthropic = AnswerDecoder(.anthropic)
        #expect(throws: DecodeFault.self) {
            try anthropic.takeWhole(ByteBuffer(string: #"{"content":[{"type":"text","text":"a"}],"stop_reason":""}"#))
        }
    }
}
