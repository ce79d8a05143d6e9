import RouterService
import Testing

struct RequestSketchTests {
    private func sketch(_ text: String) throws -> RequestSketch { try RequestSketch(Array(text.utf8)) }

    @Test("an OpenAI chat body is read: text, images, tools, limits, form")
    func chat() throws {
        let got = try sketch(
            """
            {"model": "assistant", "stream": true, "n": 2, "max_completion_tokens": 77, "temperature": 0,
             "response_format": {"type": "json_schema", "json_schema": {}}, "bulkhead": {"cache": "refresh"},
             "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
             "messages": [{"role": "system", "content": "0123456789"}, {"role": "user", "content": [
               {"type": "text", "text": "abcde"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
               {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}]}
            """)
        #expect(got.dialect == "openai-chat" && got.model == "assistant" && got.stream && got.choices == 2)
        #expect(got.maxTokens == 77 && got.isDeterministic && got.wantsJSON && got.cache == "refresh" && !got.isPrefilled)
        #expect(got.images == 1 && got.sounds == 1 && got.tools == 1)
        #expect(got.text.hasPrefix("0123456789abcde") && got.text.contains("weather") && !got.text.contains("base64"))
    }

    @Test("a Responses body is read")
    func responses() throws {
        let got = try sketch(
            """
            {"model": "m", "instructions": "be brief", "max_output_tokens": 5, "text": {"format": {"type": "json_object"}},
             "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}, {"type": "input_image", "image_url": "x"}]}]}
            """)
        #expect(got.dialect == "openai-responses" && got.images == 1 && got.maxTokens == 5 && got.wantsJSON && got.bytes == 13)
        #expect(try sketch("{\"model\": \"m\", \"input\": \"hello\"}").bytes == 5)
    }

    @Test("a Messages body is read, with the answer it begins")
    func messages() throws {
        let got = try sketch(
            """
            {"model": "m", "system": [{"type": "text", "text": "abc"}], "max_tokens": 9,
             "tools": [{"name": "t", "input_schema": {}}],
             "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "AAAA"}},
               {"type": "tool_result", "tool_use_id": "x", "content": [{"type": "text", "text": "sunny"}]}]},
               {"role": "assistant", "content": "It is"}]}
            """)
        #expect(got.dialect == "anthropic-messages" && got.images == 1 && got.tools == 1 && got.maxTokens == 9 && got.isPrefilled)
        #expect(got.text.contains("sunny") && got.text.contains("It is") && got.text.contains("abc"))
    }

    @Test("what is no request is refused in words", arguments: ["", "{", "[]", "\"x\"", "{}", "{\"model\": \"m\"}", "\u{0}"])
    func refused(text: String) {
        let error = #expect(throws: RequestSketch.Unreadable.self) { _ = try sketch(text) }
        #expect(error?.description.isEmpty == false)
    }

    @Test("of a long text a sample is kept, and all of it is counted")
    func long() throws {
        let got = try sketch(
            "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"\(String(repeating: "ab ", count: 100_000))\"}]}"
        )
        #expect(got.bytes == 300_000 && got.text.utf8.count == RequestSketch.sampleLimit)
    }
}
