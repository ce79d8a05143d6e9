import BulkheadAPI
import BulkheadJSON

/// One item of an answer's `output`.
struct ResponseItem {
    enum Kind: Equatable {
        case message, reasoning, call
        /// What only this dialect knows.
        case raw
    }

    /// A part of a message.
    struct Part {
        let isRefusal: Bool
        var text = ""
        var annotations: [JSON] = []
        var logprobs: [JSON] = []
    }

    enum State: String {
        case inProgress = "in_progress"
        case completed, incomplete
    }

    let kind: Kind
    let id: String
    var parts: [Part] = []
    /// Reasoning, or the arguments of a call.
    var text = ""
    /// The reasoning is a summary of what the model thought, not the thoughts themselves.
    var isSummary = true
    /// As the client sees it.
    var signature = ""
    var callID = ""
    var name = ""
    var raw = JSONObject()

    private static let prefixes: [Kind: String] = [.message: "msg", .reasoning: "rs", .call: "fc", .raw: "item"]

    /// - Parameters:
    ///   - stem: what all ids of one answer have in common.
    ///   - index: its place in the output.
    ///   - id: the provider's, if it has one.
    init(_ kind: Kind, stem: String, index: Int, id: String? = nil) {
        self.kind = kind
        self.id = id ?? "\(Self.prefixes[kind] ?? "item")_\(stem)_\(index)"
    }

    /// A raw item.
    init?(raw event: ChatAPI.ChatEvent, stem: String, index: Int) {
        guard let raw = event.json.flatMap({ try? JSON.parse($0) })?.object else { return nil }
        self.init(raw: raw, stem: stem, index: index)
    }

    init(raw: JSONObject, stem: String, index: Int) {
        self.init(.raw, stem: stem, index: index, id: raw["id"]?.string)
        self.raw = raw
    }

    /// Adds what a message goes on with: text after text is one part, however the provider cut it.
    mutating func add(_ part: Part) {
        guard let last = parts.last, !last.isRefusal, !part.isRefusal else { return parts.append(part) }
        parts[parts.count - 1].text += part.text
        parts[parts.count - 1].annotations += part.annotations
        parts[parts.count - 1].logprobs += part.logprobs
    }

    /// The arguments of a call: a call without any has the empty object.
    var arguments: String { text.isEmpty ? "{}" : text }

    func write(_ state: State, to writer: inout JSONWriter) {
        if kind == .raw { return writer.value(raw) }
        writer.object { writer in
            writer.field("id", id)
            switch kind {
            case .message: writeMessage(state, to: &writer)
            case .reasoning: writeReasoning(state, to: &writer)
            case .call, .raw: writeCall(state, to: &writer)
            }
        }
    }

    private func writeMessage(_ state: State, to writer: inout JSONWriter) {
        writer.field("type", "message")
        writer.field("status", state.rawValue)
        writer.field("role", "assistant")
        writer.array("content") { list in
            guard state != .inProgress else { return }
            for part in parts { part.write(to: &list) }
        }
    }

    private func writeReasoning(_ state: State, to writer: inout JSONWriter) {
        let shown = state == .inProgress ? "" : text
        writer.field("type", "reasoning")
        writer.array("summary") { if isSummary, !shown.isEmpty { Self.writeThought(shown, "summary_text", to: &$0) } }
        if !isSummary { writer.array("content") { if !shown.isEmpty { Self.writeThought(shown, "reasoning_text", to: &$0) } } }
        if state != .inProgress, !signature.isEmpty { writer.field("encrypted_content", signature) }
    }

    private func writeCall(_ state: State, to writer: inout JSONWriter) {
        writer.field("type", "function_call")
        writer.field("status", state.rawValue)
        writer.field("call_id", callID)
        writer.field("name", name)
        writer.field("arguments", state == .inProgress ? "" : arguments)
    }

    static func writeThought(_ text: String, _ type: String, to writer: inout JSONWriter) {
        writer.object {
            $0.field("type", type)
            $0.field("text", text)
        }
    }
}

extension ResponseItem.Part {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", isRefusal ? "refusal" : "output_text")
            writer.field(isRefusal ? "refusal" : "text", text)
            if isRefusal { return }
            writer.field("annotations", .array(annotations))
            writer.field("logprobs", .array(logprobs))
        }
    }
}
