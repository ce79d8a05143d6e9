import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import RouterService
import Testing

struct ForeignMembersTests {
    private static let dialects: [ProviderDialect] = [.openai, .openaiResponses, .anthropic, .gemini, .bedrock]

    private func sent(_ chat: ChatAPI.ChatRequest, to dialect: ProviderDialect) throws -> JSON {
        let target = Target(provider: "p", destination: "d", dialect: dialect, model: "anthropic.claude-sonnet-5")
        return try JSON.parse(try ChatEncoding.request(chat, for: target, defaultMaxTokens: 4096).body)
    }

    private func chat(_ parts: ChatAPI.Part..., role: ChatAPI.Role = .user, extra: String? = nil) -> ChatAPI.ChatRequest {
        let call = ChatAPI.Part(kind: .toolCall, id: "c", name: "f", json: "{}")
        return ChatAPI.ChatRequest(
            messages: [
                .init(role: .assistant, parts: [call]),
                .init(role: role, parts: parts.isEmpty ? [.init(kind: .text, text: "hi")] : parts, extraJson: extra),
            ])
    }

    private func refusal(_ chat: ChatAPI.ChatRequest, _ dialect: ProviderDialect) -> String? {
        var chat = chat
        chat.dialect = dialect == .anthropic ? .openaiChat : .anthropicMessages
        do {
            _ = try sent(chat, to: dialect)
            return nil
        } catch {
            return (error as? CallError)?.message
        }
    }

    @Test("A member of a message, a part or a tool makes a target of another dialect unfit by its name", arguments: dialects)
    func unfit(_ dialect: ProviderDialect) {
        let pdf = ChatAPI.Part(kind: .document, text: "AA", mediaType: "application/pdf")
        let png = ChatAPI.Part(kind: .image, text: "AA", mediaType: "image/png")
        func with(_ part: ChatAPI.Part, _ extra: String) -> ChatAPI.Part {
            var part = part
            part.extraJson = extra
            return part
        }
        let result = ChatAPI.Part(kind: .toolResult, id: "c", json: #"[{"type":"text","text":"r","zork":1}]"#)
        var tool = chat()
        tool.tools = [.init(name: "f", schemaJson: "{}", extraJson: #"{"cache_control":{},"zork":1}"#)]
        var format = chat()
        format.responseFormatJson = #"{"type":"json_schema","json_schema":{"name":"n","schema":{},"zork":1}}"#
        var thinking = chat()
        thinking.extraJson = #"{"thinking":{"type":"enabled","budget_tokens":2000,"zork":1}}"#
        let all: [ChatAPI.ChatRequest] = [
            chat(extra: #"{"zork":1}"#), chat(role: .assistant, extra: #"{"annotations":[],"zork":1}"#),
            chat(with(.init(kind: .text, text: "t"), #"{"zork":1}"#)), chat(with(png, #"{"source":{"zork":1}}"#)),
            chat(with(pdf, #"{"zork":1}"#)), chat(with(pdf, #"{"file":{"zork":1}}"#)), chat(result, role: .tool),
            chat(with(.init(kind: .toolResult, text: "r", id: "c"), #"{"zork":1}"#), role: .tool), tool, format, thinking,
        ]
        for chat in all { #expect(refusal(chat, dialect)?.contains("zork") == true, "\(chat)") }
    }

    @Test("Marks, prices, and what a provider told of its own words keep no target away", arguments: dialects)
    func harmless(_ dialect: ProviderDialect) {
        let mark = #"{"cache_control":{"type":"ephemeral"},"annotations":[{"type":"url_citation"}]}"#
        var tool = chat(.init(kind: .text, text: "t", extraJson: mark))
        tool.tools = [
            .init(name: "f", schemaJson: #"{"type":"object"}"#, extraJson: #"{"cache_control":{},"allowed_callers":["direct"]}"#)
        ]
        let image = ChatAPI.Part(kind: .image, text: "AA", mediaType: "image/png", extraJson: #"{"image_url":{"detail":"low"}}"#)
        let said = chat(role: .assistant, extra: #"{"annotations":[1],"reasoning":"so","audio":null,"zork":null}"#)
        let call = ChatAPI.Part(kind: .toolCall, id: "d", name: "f", json: "{}", extraJson: #"{"caller":{"type":"direct"}}"#)
        for chat in [tool, chat(image), said, chat(call, role: .assistant)] { #expect(refusal(chat, dialect) == nil, "\(chat)") }
    }

    @Test("The names of several speakers stand before their words; the only name of the model is left out", arguments: dialects)
    func names(_ dialect: ProviderDialect) throws {
        func says(_ text: String, _ role: ChatAPI.Role, _ name: String) -> ChatAPI.Message {
            .init(role: role, parts: [.init(kind: .text, text: text)], name: name)
        }
        let one = ChatAPI.ChatRequest(
            messages: [says("1", .user, "anna"), says("2", .assistant, "bot"), says("3", .user, "ben")], dialect: .openaiChat)
        let told = try sent(one, to: dialect).text()
        let isKept = dialect == .openai
        #expect(told.contains("anna: 1") != isKept && told.contains("ben: 3") != isKept && told.contains("bot") == isKept)
        var several = one
        several.messages += [says("4", .assistant, "critic"), says("5", .user, "anna")]
        let both = try sent(several, to: dialect).text()
        #expect(both.contains("bot: 2") != isKept && both.contains("critic: 4") != isKept)
        #expect(!isKept || both.contains(#""name":"critic""#))
    }

    @Test("Members of a native request stay in their objects, and messages with different ones stay apart")
    func native() throws {
        var chat = ChatAPI.ChatRequest(
            messages: [
                .init(role: .user, parts: [.init(kind: .text, text: "a")], extraJson: #"{"x":1}"#),
                .init(role: .user, parts: [.init(kind: .text, text: "b")], extraJson: #"{"x":2}"#),
                .init(
                    role: .user,
                    parts: [
                        .init(kind: .image, text: "AA", mediaType: "image/png", extraJson: #"{"source":{"y":1,"data":"no"}}"#)
                    ],
                    extraJson: #"{"x":2}"#),
            ], dialect: .anthropicMessages)
        let messages = try sent(chat, to: .anthropic)["messages"]
        #expect(messages?[0] == ["role": "user", "content": "a", "x": 1])
        #expect(messages?[1]?["x"] == 2 && messages?.array?.count == 2)
        #expect(
            messages?[1]?["content"]?[1]?["source"] == ["type": "base64", "media_type": "image/png", "data": "AA", "y": 1])
        chat = ChatAPI.ChatRequest(
            messages: [
                .init(role: .assistant, parts: [.init(kind: .raw, json: #"{"type":"odd"}"#)]),
                .init(role: .assistant, parts: [.init(kind: .raw, id: "c", json: #"{"id":"c","type":"custom"}"#)]),
            ], dialect: .openaiChat)
        let turns = try sent(chat, to: .openai)["messages"]
        #expect(turns?[0]?["content"] == [["type": "odd"]] && turns?[0]?["tool_calls"] == nil)
        #expect(turns?[1]?["tool_calls"] == [["id": "c", "type": "custom"]])
    }

    @Test("A plain text that is not UTF-8 is refused where text is wanted")
    func plainText() {
        func document(_ base64: String) -> ChatAPI.ChatRequest {
            chat(.init(kind: .document, url: "data:text/plain;base64,\(base64)"))
        }
        #expect(refusal(document("//79"), .anthropic)?.contains("text/plain") == true)
        #expect(refusal(document("d29sZg=="), .anthropic) == nil)
    }

    @Test("a wish for one call at a time is met by the forced call of one tool, and by nothing less", arguments: [true, false])
    func oneCall(isOnly: Bool) throws {
        var chat = chat()
        chat.tools = [ChatAPI.Tool(name: "f")] + (isOnly ? [] : [ChatAPI.Tool(name: "g")])
        chat.parallelToolCalls = false
        for dialect in [ProviderDialect.gemini, .bedrock] {
            (chat.toolMode, chat.toolName) = (.named, "f")
            let config = try sent(chat, to: dialect)["toolConfig"]
            let forced: JSON? =
                dialect == .gemini ? config?["functionCallingConfig"]?["allowedFunctionNames"] : config?["toolChoice"]?["tool"]
            let wanted: JSON = dialect == .gemini ? ["f"] : ["name": "f"]
            #expect(forced == wanted)
            (chat.toolMode, chat.toolName) = (.required, nil)
            #expect((refusal(chat, dialect) == nil) == isOnly)
            for mode in [ChatAPI.ToolMode.auto, .unspecified] {
                chat.toolMode = mode
                #expect(refusal(chat, dialect)?.contains("parallel_tool_calls=false") == true)
            }
        }
    }
}
