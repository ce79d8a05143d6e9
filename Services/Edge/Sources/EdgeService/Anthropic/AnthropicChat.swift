import BulkheadAPI
import BulkheadJSON
import NIOCore

/// Anthropic's Messages.
package struct AnthropicChat: ChatDialect {
    /// The dialect.
    package init() {}

    package var errorShape: ErrorShape { .anthropic }

    package func decode(_ body: JSON) throws -> ChatCall { try AnthropicRequest.decode(body) }

    package func stream(_ call: ChatCall, requestID: String) -> any ChatStream { AnthropicStream(requestID: requestID) }

    package func encode(_ answer: CollectedAnswer, to call: ChatCall, _ facts: AnswerFacts, requestID: String) -> ByteBuffer {
        let choice = answer.choices.first
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("id", Self.id(answer.served, requestID))
            writer.field("type", "message")
            writer.field("role", "assistant")
            writer.field("model", answer.served.model)
            writer.array("content") { list in
                for block in choice?.blocks ?? [] { AnthropicBlock.write(block, answer.served, to: &list) }
            }
            Self.writeStop(choice?.finish, answer.served, callsTools: choice?.callsTools ?? false, to: &writer)
            writer.name("usage")
            Self.write(answer.usage ?? ChatAPI.Usage(), answer.served, to: &writer)
        }
        return writer.buffer
    }

    /// The answer's id: the provider's, else one made from the request's.
    static func id(_ served: ChatAPI.Served, _ requestID: String) -> String {
        served.responseID.isEmpty ? "msg_\(requestID)" : served.responseID
    }

    /// `stop_reason` and `stop_sequence`. A provider of this dialect has its own word, which is passed on.
    static func writeStop(
        _ event: ChatAPI.ChatEvent?, _ served: ChatAPI.Served, callsTools: Bool = false, to writer: inout JSONWriter
    ) {
        guard let event else {
            writer.nullField("stop_reason")
            return writer.nullField("stop_sequence")
        }
        writer.field("stop_reason", stopReason(event, served.dialect, callsTools: callsTools))
        if let sequence = event.stopSequence {
            writer.field("stop_sequence", sequence)
        } else {
            writer.nullField("stop_sequence")
        }
    }

    private static let ownWords: Set<String> = [
        "end_turn", "stop_sequence", "max_tokens", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded",
    ]

    /// An answer with calls ends with them, whatever the provider says: clients run them only then.
    private static func stopReason(_ event: ChatAPI.ChatEvent, _ dialect: ChatAPI.Dialect, callsTools: Bool) -> String {
        if let raw = event.rawFinish, ownWords.contains(raw) { return raw == "end_turn" && callsTools ? "tool_use" : raw }
        if dialect == .anthropicMessages, !callsTools, let word = FinishWord.unknown(event) { return word }
        switch event.finish {
        case .pause: return "pause_turn"
        case .stop, .unspecified: return event.stopSequence != nil ? "stop_sequence" : callsTools ? "tool_use" : "end_turn"
        case .length: return "max_tokens"
        case .toolCalls: return "tool_use"
        case .contentFilter: return "refusal"
        }
    }

    /// Input tokens are counted without those read from or written to the provider's prompt cache.
    static func write(_ usage: ChatAPI.Usage, _ served: ChatAPI.Served, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("input_tokens", max(0, usage.inputTokens - usage.cachedInputTokens - usage.cacheCreationInputTokens))
            writer.field("cache_creation_input_tokens", usage.cacheCreationInputTokens)
            writer.field("cache_read_input_tokens", usage.cachedInputTokens)
            if usage.cacheCreationInputTokens > 0 {
                let hour = min(usage.cacheCreation1hInputTokens, usage.cacheCreationInputTokens)
                writer.object("cache_creation") {
                    $0.field("ephemeral_5m_input_tokens", usage.cacheCreationInputTokens - hour)
                    $0.field("ephemeral_1h_input_tokens", hour)
                }
            }
            writer.field("output_tokens", usage.outputTokens)
            if let tier = served.serviceTier { writer.field("service_tier", tier) }
        }
    }
}
