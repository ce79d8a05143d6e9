import BulkheadAPI
import BulkheadJSON

/// One candidate of an answer while it is decoded.
struct GeminiCandidate: Sendable, Equatable {
    let index: Int
    private(set) var isFinished = false
    private var calls: ToolCalls
    private var blocks = 0

    init(index: Int) {
        self.index = index
        calls = ToolCalls(choice: index)
    }

    /// - Parameter seed: what makes the ids of calls different from those of other answers.
    mutating func take(_ json: JSONView, seed: UInt64, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        for part in (json["content"]?["parts"]).elements {
            if isFinished, part["text"]?.string?.isEmpty != true { throw .malformed("went on after the end of its answer") }
            try take(part: part, seed: seed, into: &events)
        }
        if let reason = DecodeBounds.finish(json["finishReason"]), reason != "FINISH_REASON_UNSPECIFIED" {
            try finish(reason, json, into: &events)
        }
    }

    /// A signature comes before what it stands on, as the end of the reasoning that led there.
    private mutating func take(part: JSONView, seed: UInt64, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if isFinished { return }
        let isThought = part["thought"]?.bool ?? false
        if isThought { events.text(.thinking, part["text"]?.string, choice: index) }
        events.signature(part["thoughtSignature"]?.string, choice: index)
        if isThought { return }
        if let call = part["functionCall"] { return try take(call: call, seed: seed, into: &events) }
        if let text = part["text"]?.string { return events.text(.text, text, choice: index) }
        blocks += 1
        guard blocks <= DecodeBounds.blocks else { throw .malformed("sent more than \(DecodeBounds.blocks) parts") }
        if part.members.contains(where: { !($0.name == "thoughtSignature") }) {
            events.raw(.rawBlock, part.json, choice: index)
        }
    }

    private mutating func take(call: JSONView, seed: UInt64, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard let name = call["name"]?.string, !name.isEmpty else { throw .malformed("made a call without a name") }
        let place = calls.count
        let own = call["id"]?.string ?? ""
        let id = own.isEmpty ? "call_\(ToolSyntax.hex(seed))_\(index)_\(place)" : own
        try calls.begin(place, id: id, name: name, into: &events)
        if let arguments = call["args"], !arguments.isNull { try calls.extend(place, arguments.json.text(), into: &events) }
        calls.end(place, into: &events)
    }

    /// - Throws: when the reason is the model's failure and not an end.
    private mutating func finish(_ reason: String, _ json: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard !isFinished else { return }
        let finish: ChatAPI.FinishReason
        switch reason {
        case "STOP": finish = calls.isEmpty ? .stop : .toolCalls
        case "MAX_TOKENS": finish = .length
        case "SAFETY", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "RECITATION", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION":
            finish = .contentFilter
        default:
            let words = json["finishMessage"]?.string ?? "the answer ended with finishReason \(reason)"
            throw .provider(ProviderError(status: 500, code: reason, message: words))
        }
        isFinished = true
        events.append(.init(kind: .finish, choice: index, finish: finish, rawFinish: reason))
    }
}
