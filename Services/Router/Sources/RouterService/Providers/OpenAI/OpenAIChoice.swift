import BulkheadAPI
import BulkheadJSON

/// One choice of an answer while it is decoded, streamed or whole.
package struct OpenAIChoice: Sendable, Equatable {
    package let index: Int
    package private(set) var isFinished = false
    private var calls: ToolCalls
    private var lastPlace = -1

    package init(index: Int) {
        self.index = index
        calls = ToolCalls(choice: index)
    }

    /// The events of one `delta`, or of a whole `message`. - Throws: for content after the choice's end.
    package mutating func decode(_ delta: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let before = events.count
        do throws(DecodeFault) {
            try add(delta, to: &events)
        } catch {
            events.removeSubrange(before...)
            throw error
        }
        guard isFinished else { return }
        // What comes late and is not content (annotations, filters) has no place any more.
        let late = events[before...].contains { $0.kind != .rawDelta }
        events.removeSubrange(before...)
        if late { throw .malformed("went on after the end of its answer") }
    }

    private mutating func add(_ delta: JSONView, to events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        events.text(.thinking, delta["reasoning_content"]?.string ?? delta["reasoning"]?.string, choice: index)
        try decode(content: delta["content"], into: &events)
        events.text(.refusal, delta["refusal"]?.string, choice: index)
        for call in delta["tool_calls"].elements { try decode(call: call, into: &events) }
        decode(others: delta, into: &events)
    }

    /// Text, or a list of parts as some compatible servers send it.
    private func decode(content: JSONView?, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        events.text(.text, content?.string, choice: index)
        for (place, part) in content.elements.enumerated() {
            guard part.isObject, place < DecodeBounds.blocks else {
                throw .malformed("sent content that is neither text nor parts")
            }
            switch part["type"]?.spelling {
            case "text": events.text(.text, part["text"]?.string, choice: index)
            case "thinking":
                let texts = part["thinking"]?.string ?? part["thinking"].elements.compactMap { $0["text"]?.string }.joined()
                events.text(.thinking, texts, choice: index)
            default: events.raw(.rawDelta, ["content": [part.json]], choice: index)
            }
        }
    }

    /// Members the canonical form does not model (`annotations`, `audio`, `function_call`), in one event.
    private func decode(others delta: JSONView, into events: inout [ChatAPI.ChatEvent]) {
        var others = JSONObject()
        for (name, value) in delta.members where !Self.isKnown(name) && !value.isNull && !value.isEmptyArray {
            others.append(name.string, value.json)
        }
        if !others.isEmpty { events.raw(.rawDelta, .object(others), choice: index) }
    }

    /// Members of a delta or message that have events of their own, or nothing to say.
    private static func isKnown(_ name: JSONSpelling) -> Bool {
        switch name {
        case "content", "role", "refusal", "tool_calls", "reasoning_content", "reasoning", "name": true
        default: false
        }
    }

    /// The logprobs object beside a delta or message.
    package func decode(logprobs: JSONView?, into events: inout [ChatAPI.ChatEvent]) {
        guard !isFinished, let logprobs, logprobs.isObject else { return }
        events.append(.init(kind: .logprobs, choice: index, json: logprobs.json.text()))
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

    private mutating func decode(call: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
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
        try calls.extend(place, arguments.string ?? arguments.json.text(), into: &events)
    }

    /// A call of another kind, under our index.
    private mutating func pass(_ call: JSONView, _ place: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        var object = call.json.object ?? [:]
        object["index"] = .int(Int64(try calls.reserve(place)))
        events.raw(.rawDelta, ["tool_calls": [.object(object)]], choice: index)
    }
}
