import BulkheadAPI
import BulkheadJSON
import NIOCore

/// OpenAI's chat completions.
package struct OpenAIChat: ChatDialect {
    /// The dialect.
    package init() {}

    package var errorShape: ErrorShape { .openAI }

    package func decode(_ body: JSON) throws -> ChatCall { try OpenAIChatRequest.decode(body) }

    package func stream(_ call: ChatCall, requestID: String) -> any ChatStream {
        OpenAIChatStream(choices: call.chat.choices ?? 1, includesUsage: call.includesUsage, requestID: requestID)
    }

    package func encode(_ answer: CollectedAnswer, _ facts: AnswerFacts, requestID: String) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("id", Self.id(answer.served, requestID))
            writer.field("object", "chat.completion")
            writer.field("created", Self.created(answer.served))
            writer.field("model", answer.served.model)
            writer.array("choices") { list in for choice in answer.choices { Self.write(choice, to: &list) } }
            if let usage = answer.usage {
                writer.name("usage")
                Self.write(usage, to: &writer)
            }
        }
        return writer.buffer
    }

    /// The answer's id: the provider's, else one made from the request's.
    static func id(_ served: ChatAPI.Served, _ requestID: String) -> String {
        served.responseID.isEmpty ? "chatcmpl-\(requestID)" : served.responseID
    }

    static func created(_ served: ChatAPI.Served) -> Int { served.created > 0 ? served.created : WallClock.unixSeconds() }

    static func finishReason(_ event: ChatAPI.ChatEvent) -> String {
        switch event.finish {
        case .stop, .pause, .unspecified: "stop"
        case .length: "length"
        case .toolCalls: "tool_calls"
        case .contentFilter: "content_filter"
        }
    }

    static func write(_ usage: ChatAPI.Usage, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("prompt_tokens", usage.inputTokens)
            writer.field("completion_tokens", usage.outputTokens)
            writer.field("total_tokens", usage.inputTokens + usage.outputTokens)
            writer.object("prompt_tokens_details") { $0.field("cached_tokens", usage.cachedInputTokens) }
            writer.object("completion_tokens_details") { $0.field("reasoning_tokens", usage.reasoningTokens) }
        }
    }

    private static func write(_ choice: CollectedAnswer.Choice, to list: inout JSONWriter) {
        list.object { writer in
            writer.field("index", choice.index)
            writer.object("message") { writeMessage(choice, to: &$0) }
            writeLogprobs(choice.logprobs, to: &writer)
            if let finish = choice.finish {
                writer.field("finish_reason", finishReason(finish))
            } else {
                writer.nullField("finish_reason")
            }
        }
    }

    private static func writeMessage(_ choice: CollectedAnswer.Choice, to writer: inout JSONWriter) {
        var (text, refusal, thinking) = (String?.none, String?.none, String?.none)
        var calls: [CollectedAnswer.Block] = []
        for block in choice.blocks {
            switch block {
            case .text(let more): text = (text ?? "") + more
            case .refusal(let more): refusal = (refusal ?? "") + more
            case .thinking(let more, _): thinking = (thinking ?? "") + more
            case .toolCall: calls.append(block)
            }
        }
        if text == nil, calls.isEmpty, refusal == nil { text = "" }
        writer.field("role", "assistant")
        if let text { writer.field("content", text) } else { writer.nullField("content") }
        if let refusal { writer.field("refusal", refusal) } else { writer.nullField("refusal") }
        if let thinking { writer.field("reasoning_content", thinking) }
        if !calls.isEmpty { writer.array("tool_calls") { list in for call in calls { writeCall(call, to: &list) } } }
    }

    private static func writeCall(_ block: CollectedAnswer.Block, to list: inout JSONWriter) {
        guard case .toolCall(_, let id, let name, let arguments) = block else { return }
        list.object { writer in
            writer.field("id", id)
            writer.field("type", "function")
            writer.object("function") {
                $0.field("name", name)
                $0.field("arguments", arguments)
            }
        }
    }

    /// One logprobs object of the fragments' objects: their `content` and `refusal` one after the other.
    private static func writeLogprobs(_ fragments: [String], to writer: inout JSONWriter) {
        guard !fragments.isEmpty else { return writer.nullField("logprobs") }
        let parsed = fragments.compactMap { try? JSON.parse($0) }
        writer.object("logprobs") { writer in
            for name in ["content", "refusal"] {
                let lists = parsed.compactMap { $0[name]?.array }
                writer.field(name, lists.isEmpty ? .null : .array(lists.flatMap { $0 }))
            }
        }
    }
}
