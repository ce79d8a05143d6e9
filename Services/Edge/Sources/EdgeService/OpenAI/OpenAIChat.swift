import BulkheadAPI
import BulkheadJSON
import NIOCore

/// OpenAI's chat completions.
package struct OpenAIChat: ChatDialect {
    /// The dialect.
    package init() {}

    package var errorShape: ErrorShape { .openAI }

    package func decode(_ body: JSON) throws -> ChatCall { try OpenAIChatRequest.decode(body) }

    package func stream(_ call: ChatCall, requestID: String) -> any ChatStream { OpenAIChatStream(call, requestID: requestID) }

    package func encode(_ answer: CollectedAnswer, to call: ChatCall, _ facts: AnswerFacts, requestID: String) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("id", Self.id(answer.served, requestID))
            writer.field("object", "chat.completion")
            writer.field("created", Self.created(answer.served))
            writer.field("model", answer.served.model)
            Self.writeService(answer.served, to: &writer)
            writer.array("choices") { list in
                for choice in answer.choices { OpenAIMessage.write(choice, answer.served, to: &list) }
            }
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

    /// What the provider says about itself.
    static func writeService(_ served: ChatAPI.Served, to writer: inout JSONWriter) {
        if let tier = served.serviceTier { writer.field("service_tier", tier) }
        if let fingerprint = served.systemFingerprint { writer.field("system_fingerprint", fingerprint) }
    }

    /// - Parameters:
    ///   - dialect: of who served: a word of this dialect that is not known here is passed on.
    ///   - callsTools: then that is what ended the choice, even if the provider says it just stopped.
    static func finishReason(_ event: ChatAPI.ChatEvent, _ dialect: ChatAPI.Dialect, callsTools: Bool) -> String {
        if dialect == .openaiChat, !callsTools, let word = FinishWord.unknown(event) { return word }
        return switch event.finish {
        case .stop, .pause, .unspecified: callsTools ? "tool_calls" : "stop"
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
            writer.object("prompt_tokens_details") {
                $0.field("cached_tokens", usage.cachedInputTokens)
                $0.field("audio_tokens", usage.audioInputTokens)
                if usage.cacheCreationInputTokens > 0 { $0.field("cache_write_tokens", usage.cacheCreationInputTokens) }
            }
            writer.object("completion_tokens_details") {
                $0.field("reasoning_tokens", usage.reasoningTokens)
                $0.field("audio_tokens", usage.audioOutputTokens)
                $0.field("accepted_prediction_tokens", usage.acceptedPredictionTokens ?? 0)
                $0.field("rejected_prediction_tokens", usage.rejectedPredictionTokens ?? 0)
            }
        }
    }

    /// A block of reasoning as a member of `thinking_blocks`.
    /// - Parameter index: its place among the blocks, which clients need to put deltas together.
    static func writeThinking(
        _ text: String, _ signature: String, redacted: Bool = false, index: Int? = nil, of origin: ChatAPI.Dialect,
        to list: inout JSONWriter
    ) {
        list.object { block in
            if let index { block.field("index", index) }
            block.field("type", redacted ? "redacted_thinking" : "thinking")
            if !redacted { block.field("thinking", text) }
            block.field(redacted ? "data" : "signature", SignatureLabel.shown(signature, of: origin, to: .openaiChat))
        }
    }
}
