import BulkheadAPI

/// The canonical requests of the golden cases, by name.
enum GoldenChats {
    static let all: [String: ChatAPI.ChatRequest] = [
        "plain": plain, "sampling": sampling, "probabilities": probabilities, "system in the middle": middle, "images": images,
        "documents": documents,
        "sound": sound, "tools": tools, "one tool at a time": oneTool, "parallel calls and results": calls,
        "results with images": richResults, "schema": schema, "JSON mode": jsonMode, "effort": effort, "budget": budget,
        "no reasoning": noReasoning, "signatures of all": signatures, "OpenAI members": openaiMembers,
        "Anthropic members": anthropicMembers, "Responses members": responsesMembers, "unknown member": unknown,
        "several choices": several, "cache marks": cacheMarks, "raw parts": raw, "prefill": prefill,
    ]

    private static func says(_ text: String, _ role: ChatAPI.Role = .user, extra: String? = nil) -> ChatAPI.Message {
        .init(role: role, parts: [.init(kind: .text, text: text, extraJson: extra)])
    }

    private static func chat(
        _ messages: [ChatAPI.Message] = [says("Hi")], _ dialect: ChatAPI.Dialect = .openaiChat, extra: String? = nil
    ) -> ChatAPI.ChatRequest {
        .init(model: "assistant", messages: messages, dialect: dialect, extraJson: extra)
    }

    private static let plain = chat()

    private static var sampling: ChatAPI.ChatRequest {
        var chat = chat([says("Be brief.", .system), says("Hi")])
        (chat.temperature, chat.topP, chat.topK, chat.maxTokens, chat.seed) = (1.5, 0.9, 40, 100, 7)
        (chat.presencePenalty, chat.frequencyPenalty) = (0.5, -0.5)
        chat.endUser = "anna"
        return chat
    }

    private static var probabilities: ChatAPI.ChatRequest {
        var chat = plain
        (chat.logprobs, chat.topLogprobs) = (true, 2)
        return chat
    }

    private static var middle: ChatAPI.ChatRequest {
        var chat = chat([says("One.", .system), says("a"), says("b", .assistant), says("Two.", .developer), says("c")])
        chat.stop = ["END"]
        return chat
    }

    private static let images = chat([
        .init(
            role: .user,
            parts: [
                .init(kind: .text, text: "Which?"),
                .init(kind: .image, url: "https://x.example/a.png", extraJson: #"{"image_url":{"detail":"low"}}"#),
                .init(kind: .image, url: "data:image/jpeg;base64,QUJD"),
                .init(kind: .image, text: "REVG", mediaType: "image/webp"),
            ])
    ])

    private static let documents = chat(
        [
            .init(
                role: .user,
                parts: [
                    .init(kind: .document, text: "JVBERg==", name: "Report 1.pdf", mediaType: "application/pdf"),
                    .init(kind: .document, text: "Plain words.", name: "Notes", mediaType: "text/plain"),
                    .init(kind: .text, text: "Sum up."),
                ])
        ], .anthropicMessages)

    private static let sound = chat([
        .init(
            role: .user, parts: [.init(kind: .audio, text: "UklGRg==", mediaType: "audio/wav"), .init(kind: .text, text: "Who?")])
    ])

    private static let weather = ChatAPI.Tool(
        name: "weather", description: "Tells.",
        schemaJson: #"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#)
    private static let clock = ChatAPI.Tool(
        name: "clock",
        schemaJson: #"{"type":"object","properties":{"zone":{"type":["string","null"]}},"additionalProperties":false}"#,
        strict: true)

    private static var tools: ChatAPI.ChatRequest {
        var chat = chat()
        chat.tools = [weather, clock]
        (chat.toolMode, chat.toolName) = (.named, "clock")
        return chat
    }

    private static var oneTool: ChatAPI.ChatRequest {
        var chat = chat()
        chat.tools = [weather]
        (chat.toolMode, chat.parallelToolCalls) = (.required, false)
        return chat
    }

    private static var calls: ChatAPI.ChatRequest {
        var chat = chat([
            says("Weather and time?"),
            .init(
                role: .assistant,
                parts: [
                    .init(kind: .text, text: "Let me look."),
                    .init(kind: .toolCall, id: "functions.weather:0", name: "weather", json: #"{"city":"Oslo"}"#),
                    .init(kind: .toolCall, id: "call_b", name: "clock", json: ""),
                ]),
            .init(role: .tool, parts: [.init(kind: .toolResult, text: "rain", id: "functions.weather:0")]),
            .init(role: .tool, parts: [.init(kind: .toolResult, text: "it stands still", id: "call_b", isError: true)]),
            says("So?"),
        ])
        chat.tools = [weather, clock]
        return chat
    }

    private static let richResults = chat(
        [
            says("Draw."), .init(role: .assistant, parts: [.init(kind: .toolCall, id: "t1", name: "draw", json: "{}")]),
            .init(
                role: .tool,
                parts: [
                    .init(
                        kind: .toolResult, id: "t1",
                        json:
                            #"[{"type":"text","text":"Done:"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}}]"#
                    )
                ]),
        ], .anthropicMessages)

    private static var schema: ChatAPI.ChatRequest {
        var chat = chat()
        chat.responseFormatJson =
            #"{"type":"json_schema","json_schema":{"name":"city","strict":true,"schema":{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}}}"#
        return chat
    }

    private static var jsonMode: ChatAPI.ChatRequest {
        var chat = chat()
        chat.responseFormatJson = #"{"type":"json_object"}"#
        return chat
    }

    private static var effort: ChatAPI.ChatRequest {
        var chat = chat()
        (chat.reasoningEffort, chat.maxTokens, chat.temperature) = ("medium", 20_000, 0.2)
        return chat
    }

    private static var budget: ChatAPI.ChatRequest {
        var chat = chat(
            [says("Hi")], .anthropicMessages, extra: #"{"thinking":{"type":"enabled","budget_tokens":3000}}"#)
        chat.maxTokens = 8000
        return chat
    }

    private static var noReasoning: ChatAPI.ChatRequest {
        var chat = chat([says("Hi")], .anthropicMessages)
        (chat.maxTokens, chat.reasoningBudget) = (100, 0)
        return chat
    }

    private static let signatures = chat([
        says("Hi"),
        .init(
            role: .assistant,
            parts: [
                .init(kind: .thinking, text: "as Claude", signature: "sig-a", origin: .anthropicMessages),
                .init(kind: .thinking, signature: "hidden-a", origin: .anthropicMessages, redacted: true),
                .init(kind: .thinking, text: "on Bedrock", signature: "sig-b", origin: .bedrock),
                .init(kind: .thinking, signature: "hidden-b", origin: .bedrock, redacted: true),
                .init(kind: .thinking, text: "as Gemini", signature: "sig-g", origin: .gemini),
                .init(kind: .thinking, text: "as a response", id: "rs_1", signature: "sig-r", origin: .openaiResponses),
                .init(kind: .thinking, text: "as chat", signature: "sig-o", origin: .openaiChat),
                .init(kind: .toolCall, id: "c1", name: "clock", json: "{}"),
            ]),
        .init(role: .tool, parts: [.init(kind: .toolResult, text: "noon", id: "c1")]),
    ])

    private static let openaiMembers = chat(
        extra:
            #"{"max_completion_tokens":50,"verbosity":"low","metadata":{"a":"b"},"prompt_cache_key":"k","logit_bias":{"1":2},"service_tier":null}"#
    )

    private static var anthropicMembers: ChatAPI.ChatRequest {
        var chat = chat(
            [says("Hi")], .anthropicMessages,
            extra: #"{"thinking":{"type":"adaptive"},"output_config":{"effort":"low"},"context_management":{"edits":[]}}"#)
        (chat.maxTokens, chat.anthropicBeta, chat.anthropicVersion) = (1000, "context-management-2025-06-27", "2023-06-01")
        return chat
    }

    private static var responsesMembers: ChatAPI.ChatRequest {
        var chat = chat(
            [says("Hi")], .openaiResponses,
            extra:
                #"{"store":true,"include":["reasoning.encrypted_content"],"reasoning":{"effort":"high","summary":"auto"},"text":{"verbosity":"low"},"truncation":"auto"}"#
        )
        chat.maxTokens = 30_000
        return chat
    }

    private static let unknown = chat(extra: #"{"web_search_options":{}}"#)

    private static var several: ChatAPI.ChatRequest {
        var chat = chat()
        chat.choices = 2
        return chat
    }

    private static var cacheMarks: ChatAPI.ChatRequest {
        let mark = #"{"cache_control":{"type":"ephemeral","ttl":"1h"}}"#
        var chat = chat(
            [says("Long.", .system, extra: mark), says("Hi", extra: #"{"cache_control":{"type":"ephemeral"}}"#)],
            .anthropicMessages)
        chat.maxTokens = 100
        chat.tools = [.init(name: "weather", schemaJson: #"{"type":"object"}"#, extraJson: mark)]
        return chat
    }

    private static let raw = chat(
        [
            .init(
                role: .user,
                parts: [.init(kind: .raw, json: #"{"type":"search_result","source":"x"}"#), .init(kind: .text, text: "Hi")])
        ],
        .anthropicMessages)

    private static let prefill = chat([says("List."), says("1. ", .assistant)])
}
