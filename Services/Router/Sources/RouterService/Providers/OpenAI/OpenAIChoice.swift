import BulkheadAPI
import BulkheadJSON

/// One choice of an answer while it is decoded, streamed or whole.
package struct OpenAIChoice: Sendable {
    package let index: Int
    package private(set) var isFinished = false
    private var calls: ToolCalls
    private var lastPlace = -1

    /// Members of a delta or message that have events of their own, or nothing to say.
    private static let known: Set<String> = [
        "role", "content", "refusal", "tool_calls", "reasoning_content", "reasoning", "name",
    ]

    package init(index: Int) {
        self.index = index
        calls = ToolCalls(choice: index)
    }

    /// The events of one `delta`, or of a whole `message`. - Throws: for content after the choice's end.
    package mutating func decode(_ delta: JSON, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        var found: [ChatAPI.ChatEvent] = []
        found.text(.thinking, delta["reasoning_content"]?.string ?? delta["reasoning"]?.string, choice: index)
        decode(content: delta["content"], into: &found)
        found.text(.refusal, delta["refusal"]?.string, choice: index)
        for (position, call) in (delta["tool_calls"]?.array ?? []).enumerated() { try decode(call, position, into: &found) }
        decode(others: delta, into: &found)
        if isFinished, found.contains(where: { $0.kind != .rawDelta }) { throw .malformed("went on after the end of its answer") }
        // What comes late and is not content (annotations, filters) has no place any more.
        if !isFinished { events += found }
    }

    /// Text, or a list of parts as some compatible servers send it.
    private func decode(content: JSON?, into events: inout [ChatAPI.ChatEvent]) {
        events.text(.text, content?.string, choice: index)
        for part in content?.array ?? [] {
            switch part["type"]?.string {
            case "text": events.text(.text, part["text"]?.string, choice: index)
            case "thinking":
                let texts = part["thinking"]?.string ?? part["thinking"]?.array?.compactMap { $0["text"]?.string }.joined()
                events.text(.thinking, texts, choice: index)
            default: events.raw(.rawDelta, ["content": [part]], choice: index)
            }
        }
    }

    /// Members the canonical form does not model (`annotations`, `audio`, `function_call`), in one event.
    private func decode(others delta: JSON, into events: inout [ChatAPI.ChatEvent]) {
        let others = (delta.object ?? [:]).filter { !Self.known.contains($0.name) && !$0.value.isNull && $0.value != [] }
        if !others.isEmpty {
            events.raw(.rawDelta, .object(JSONObject(others.map { ($0.name, $0.value) })), choice: index)
        }
    }

    /// The logprobs object beside a delta or message.
    package func decode(logprobs: JSON?, into events: inout [ChatAPI.ChatEvent]) {
        guard !isFinished, let logprobs, logprobs.object != nil else { return }
        events.append(.init(kind: .logprobs, choice: index, json: logprobs.text()))
    }

    /// The provider's `finish_reason`. An answer with tool calls ends with tool_calls, whatever the provider calls it.
    /// - Throws: when the reason is the provider's own failure.
    package mutating func finish(_ reason: String, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard !isFinished else { return }
        let finish: ChatAPI.FinishReason
        switch reason {
        case "length", "max_tokens", "model_length": finish = .length
        case "tool_calls", "function_call", "tool_use": finish = .toolCalls
        case "content_filter": finish = .contentFilter
        // How compatible servers tell that they failed after they had begun.
        case "error", "abort", "insufficient_system_resource", "network_error":
            throw .provider(ProviderError(status: 500, code: reason, message: "the answer ended with finish_reason '\(reason)'"))
        default: finish = calls.isEmpty ? .stop : .toolCalls
        }
        isFinished = true
        calls.endAll(into: &events)
        events.append(.init(kind: .finish, choice: index, finish: finish, rawFinish: reason))
    }

    private mutating func decode(_ call: JSON, _ position: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        // Some servers leave the index out: an id begins the next call, its absence goes on with the last one.
        let place = call["index"]?.int ?? (call["id"]?.string == nil ? max(lastPlace, 0) : lastPlace + 1)
        guard (0 ..< .max).contains(place) else { throw .malformed("sent a tool call with an index that cannot be") }
        lastPlace = max(lastPlace, place)
        if let type = call["type"]?.string, type != "function", call["function"] == nil {
            return try pass(call, place, into: &events)
        }
        if !calls.contains(place) {
            let id = call["id"]?.string ?? ""
            let given = id.isEmpty ? "call_\(ToolSyntax.hex(.random(in: 0 ... .max)))" : id
            try calls.begin(place, id: given, name: call["function"]?["name"]?.string ?? "", into: &events)
        }
        guard let arguments = call["function"]?["arguments"], !arguments.isNull else { return }
        // Compatible servers send the arguments as an object.
        try calls.extend(place, arguments.string ?? arguments.text(), into: &events)
    }

    /// A call of another kind, under our index.
    private mutating func pass(_ call: JSON, _ place: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        var object = call.object ?? [:]
        object["index"] = .int(Int64(try calls.reserve(place)))
        events.raw(.rawDelta, ["tool_calls": [.object(object)]], choice: index)
    }
}
