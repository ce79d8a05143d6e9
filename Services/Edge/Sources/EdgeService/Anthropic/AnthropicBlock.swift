import BulkheadAPI
import BulkheadJSON

/// Content blocks of a whole answer.
enum AnthropicBlock {
    /// Writes nothing for what only another dialect knows.
    static func write(_ block: CollectedAnswer.Block, _ served: ChatAPI.Served, to list: inout JSONWriter) {
        let isNative = served.dialect == .anthropicMessages
        switch block.kind {
        case .raw: if isNative, let whole = raw(block) { list.value(whole) }
        case .text, .refusal: list.value(text(block, isNative: isNative))
        case .thinking:
            list.object {
                $0.field("type", "thinking")
                $0.field("thinking", block.text)
                $0.field("signature", SignatureLabel.shown(block.signature, of: served.dialect, to: .anthropicMessages))
            }
        case .redactedThinking:
            list.object {
                $0.field("type", "redacted_thinking")
                $0.field("data", SignatureLabel.shown(block.signature, of: served.dialect, to: .anthropicMessages))
            }
        case .toolCall:
            list.object {
                $0.field("type", "tool_use")
                $0.field("id", block.id)
                $0.field("name", block.name)
                $0.name("input")
                $0.raw(input(block.text))
            }
        }
    }

    /// The arguments as the object Anthropic's clients expect; what is none is kept under a name of its own.
    static func input(_ arguments: String) -> String {
        if arguments.isEmpty { return "{}" }
        if let parsed = try? JSON.parse(arguments), parsed.object != nil { return parsed.text() }
        return JSON.object(["raw_arguments": .string(arguments)]).text()
    }

    private static func text(_ block: CollectedAnswer.Block, isNative: Bool) -> JSONObject {
        var whole: JSONObject = ["type": "text", "text": .string(block.text)]
        if isNative { add(block.deltas, to: &whole) }
        return whole
    }

    private static func raw(_ block: CollectedAnswer.Block) -> JSONObject? {
        guard var whole = block.json.object else { return nil }
        add(block.deltas, to: &whole)
        return whole
    }

    /// A block as its deltas leave it: citations are listed, input arrives as JSON text, everything else is continued.
    private static func add(_ deltas: [JSON], to whole: inout JSONObject) {
        var input = ""
        for delta in deltas {
            if let citation = delta["citation"] {
                whole["citations"] = .array((whole["citations"]?.array ?? []) + [citation])
            } else if let part = delta["partial_json"]?.string {
                input += part
            } else if let members = delta.object {
                RawDelta.merge(JSONObject(members.filter { $0.name != "type" }.map { ($0.name, $0.value) }), into: &whole)
            }
        }
        if !input.isEmpty { whole["input"] = (try? JSON.parse(input)) ?? .string(input) }
    }
}
