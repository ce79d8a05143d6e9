import BulkheadAPI
import BulkheadJSON

/// One choice of a whole answer.
enum OpenAIMessage {
    static func write(_ choice: CollectedAnswer.Choice, _ served: ChatAPI.Served, to list: inout JSONWriter) {
        list.object { writer in
            writer.field("index", choice.index)
            writer.object("message") { writeMessage(choice, served, to: &$0) }
            writeLogprobs(choice.logprobs, to: &writer)
            if let finish = choice.finish {
                writer.field("finish_reason", OpenAIChat.finishReason(finish, served.dialect, callsTools: choice.callsTools))
            } else {
                writer.nullField("finish_reason")
            }
        }
    }

    private static func writeMessage(
        _ choice: CollectedAnswer.Choice, _ served: ChatAPI.Served, to writer: inout JSONWriter
    ) {
        let refusal = joined(choice, .refusal)
        let calls = choice.blocks.filter { $0.kind == .toolCall }
        let otherCalls = choice.members["tool_calls"]?.array ?? []
        writer.field("role", "assistant")
        writeContent(choice, isElsewhere: refusal != nil || !calls.isEmpty || !choice.members.isEmpty, to: &writer)
        if let refusal { writer.field("refusal", refusal) } else { writer.nullField("refusal") }
        writeReasoning(choice, served, to: &writer)
        if !calls.isEmpty || !otherCalls.isEmpty {
            writer.array("tool_calls") { list in
                for call in calls { writeCall(call, to: &list) }
                for call in otherCalls { list.value(withoutIndex(call)) }
            }
        }
        for (name, value) in choice.members where name != "tool_calls" && name != "content" { writer.field(name, value) }
    }

    /// A string; a list where there are parts that only this dialect knows.
    /// - Parameter isElsewhere: the answer is something else than text, so that having none is no empty text.
    private static func writeContent(_ choice: CollectedAnswer.Choice, isElsewhere: Bool, to writer: inout JSONWriter) {
        let text = joined(choice, .text)
        if let parts = choice.members["content"]?.array {
            let texts: [JSON] = text.map { [["type": "text", "text": .string($0)]] } ?? []
            writer.field("content", .array(texts + parts))
        } else if let text {
            writer.field("content", text)
        } else if isElsewhere {
            writer.nullField("content")
        } else {
            writer.field("content", "")
        }
    }

    /// A call's place is told in streams only.
    private static func withoutIndex(_ call: JSON) -> JSON {
        guard var members = call.object else { return call }
        members["index"] = nil
        return .object(members)
    }

    private static func joined(_ choice: CollectedAnswer.Choice, _ kind: CollectedAnswer.Block.Kind) -> String? {
        var text: String?
        // Appended in place: an answer may have thousands of blocks.
        for block in choice.blocks where block.kind == kind {
            if text?.append(block.text) == nil { text = block.text }
        }
        return text
    }

    /// Blocks only where there is a signature to bring back.
    private static func writeReasoning(
        _ choice: CollectedAnswer.Choice, _ served: ChatAPI.Served, to writer: inout JSONWriter
    ) {
        if let text = joined(choice, .thinking), !text.isEmpty { writer.field("reasoning_content", text) }
        let signed = choice.blocks.filter { !$0.signature.isEmpty }
        guard !signed.isEmpty else { return }
        writer.array("thinking_blocks") { list in
            for block in signed {
                OpenAIChat.writeThinking(
                    block.text, block.signature, redacted: block.kind == .redactedThinking, of: served.dialect, to: &list)
            }
        }
    }

    private static func writeCall(_ call: CollectedAnswer.Block, to list: inout JSONWriter) {
        list.object { writer in
            writer.field("id", call.id)
            writer.field("type", "function")
            writer.object("function") {
                $0.field("name", call.name)
                $0.field("arguments", call.text)
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
