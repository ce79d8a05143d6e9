import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

@Suite("Members of requests")
struct RequestMembersTests {
    private func refusal(_ body: String, _ dialect: any ChatDialect = OpenAIChat()) -> EdgeError? {
        do {
            _ = try dialect.decode(try RequestJSON.parse(ByteBuffer(string: body)))
            return nil
        } catch {
            return error as? EdgeError
        }
    }

    @Test(
        "A wrong member is told with what was found, but never with what may be a secret or a prompt",
        arguments: [
            (#"[]"#, "The request body must be a JSON object; it is an empty array."),
            (#"{"model":7}"#, "model must be a string; it is 7."), (#"{"model":null}"#, "model is required; it is null."),
            (#"{"model":""}"#, "model must be the name of a model; it is an empty string."),
            (#"{"model":"m","messages":[]}"#, "messages must be at least one message; it is an empty array."),
            (#"{"model":"m","messages":["hi"]}"#, #"messages[0] must be an object; it is "hi"."#),
            (#"{"model":"m","messages":[{"role":"boss"}]}"#, #"it is "boss"."#),
            (#"{"model":"m","messages":[{"role":"user","content":7}]}"#, "content parts; it is 7."),
            (#"{"model":"m","messages":[{"role":"user","content":["a","b"]}]}"#, #"content[0] must be an object; it is "a"."#),
            (#"{"model":"m","messages":"tell me a story"}"#, "messages must be an array; it is a string of 15 bytes."),
            (#"{"model":"m","messages":[{"role":"sk-proj-abcdefgh1234"}]}"#, "it is a string of 20 bytes."),
            (#"{"model":"m","messages":[{"role":"\#(String(repeating: "x", count: 65))"}]}"#, "it is a string of 65 bytes."),
            (#"{"model":"m","messages":[{"role":"user","content":"a"}],"stop":["a",1]}"#, "stop[1] must be a string; it is 1."),
            (#"{"model":"m","messages":[{"role":"user","content":"a"}],"tool_choice":"all"}"#, #"an object; it is "all"."#),
            (#"{"model":"m","messages":[{"role":"user","content":"a"}],"stream":"yes"}"#, #"or false; it is "yes"."#),
        ])
    func found(_ body: String, _ words: String) throws {
        let error = try #require(refusal(body))
        #expect(error.status == 400 && error.message.hasSuffix(words), "\(error.message)")
    }

    @Test(
        "A member that stands twice is refused by its path, however deep and among however many",
        arguments: [
            (#"{"a":1,"b":2,"a":3}"#, "a"), (#"{"messages":[{},{"role":"user","x":{"y":1,"y":1}}]}"#, "messages[1].x.y"),
            (#"{"\u0061":1,"a":1}"#, "a"), (#"[[{"k":1,"k":2}]]"#, "[0][0].k"),
            ("{" + (0 ..< 40).map { "\"m\($0)\":0," }.joined() + #""m7":1}"#, "m7"),
            (#"{"a secret sentence":1,"a secret sentence":2}"#, "(a name of 17 bytes)"),
        ])
    func repeated(_ body: String, _ param: String) throws {
        let error = try #require(refusal(body))
        #expect(error.status == 400 && error.code == "invalid_json" && error.param == param && error.message.contains(param))
    }

    @Test("Equal names in different objects are no repetition")
    func different() {
        #expect(refusal(#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"a"}]}"#) == nil)
    }

    @Test("Members inside what is read stay where they stood")
    func structure() throws {
        let call = try OpenAIChat().decode(
            try JSON.parse(
                #"""
                {"model":"m","safety_identifier":"s","user":"u","max_completion_tokens":5,"max_tokens":4,
                 "messages":[{"role":"user","content":[
                   {"type":"image_url","x":1,"image_url":{"url":"https://a","detail":"low"}},
                   {"type":"file","file":{"filename":"f","file_data":"data:application/pdf;base64,AA","y":2}},
                   {"type":"input_audio","input_audio":{"data":"AA","format":"wav","z":3}}]},
                  {"role":"assistant","tool_calls":[{"id":"c","type":"function","v":1,"function":{"name":"f","arguments":"{}","w":2}}]}],
                 "tools":[{"type":"function","t":1,"function":{"name":"f","u":2}}],
                 "tool_choice":{"type":"function","function":{"name":"f","q":1}}}
                """#))
        #expect(
            call.chat.messages.flatMap(\.parts).map(\.extraJson) == [
                #"{"x":1,"image_url":{"detail":"low"}}"#, #"{"file":{"y":2}}"#, #"{"input_audio":{"z":3}}"#,
                #"{"v":1,"function":{"w":2}}"#,
            ])
        #expect(call.chat.tools[0].name == "f" && call.chat.tools[0].extraJson == #"{"t":1,"function":{"u":2}}"#)
        let extra = try JSON.parse(try #require(call.chat.extraJson))
        #expect(extra["tool_choice"]?["function"] == ["name": "f", "q": 1] && call.chat.toolMode == .unspecified)
        #expect(extra["user"] == "u" && extra["max_tokens"] == 4 && call.chat.maxTokens == 5 && call.chat.endUser == "s")
    }

    @Test("Anthropic's errors name the member once")
    func once() throws {
        func message(_ error: EdgeError) throws -> String? {
            try JSON.parse(error.body(.anthropic, requestID: "r"))["error"]?["message"]?.string
        }
        let wrong = try #require(refusal(#"{"model":7}"#, AnthropicChat()))
        #expect(try message(wrong) == "model must be a string; it is 7.")
        #expect(try message(EdgeError(.forbidden, message: "Not for you.", param: "model")) == "model: Not for you.")
        #expect(try message(EdgeError(.badRequest, message: "name it.", param: "n")) == "n: name it.")
    }
}
