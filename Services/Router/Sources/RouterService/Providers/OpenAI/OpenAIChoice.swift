import BulkheadAPI
import BulkheadJSON

/// One choice of an answer while it is decoded, streamed or whole.
package struct OpenAIChoice: Sendable {
    package let index: Int
    package private(set) var isFinished = false
    /// The provider's tool index → ours, which have no gaps.
    private var tools: [Int: Int] = [:]
    private var lastTool = -1

    package init(index: Int) { self.index = index }

    /// The events of one `delta`, or of a whole `message`.
    package mutating func decode(_ delta: JSON, into events: inout [ChatAPI.ChatEvent]) {
        for name in ["reasoning_content", "reasoning"] {
            guard let text = delta[name]?.string, !text.isEmpty else { continue }
            events.append(.init(kind: .thinking, choice: index, text: text))
            break
        }
        if let text = delta["content"]?.string, !text.isEmpty { events.append(.init(kind: .text, choice: index, text: text)) }
        if let text = delta["refusal"]?.string, !text.isEmpty { events.append(.init(kind: .refusal, choice: index, text: text)) }
        for (position, call) in (delta["tool_calls"]?.array ?? []).enumerated() { decode(call, position, into: &events) }
    }

    /// The logprobs object beside a delta or message.
    package func decode(logprobs: JSON?, into events: inout [ChatAPI.ChatEvent]) {
        guard let logprobs, logprobs.object != nil else { return }
        events.append(.init(kind: .logprobs, choice: index, json: logprobs.text()))
    }

    /// The provider's `finish_reason`. An answer with tool calls ends with tool_calls, whatever the provider calls it.
    package mutating func finish(_ reason: String, into events: inout [ChatAPI.ChatEvent]) {
        guard !isFinished else { return }
        isFinished = true
        let finish: ChatAPI.FinishReason =
            switch reason {
            case "length": .length
            case "tool_calls", "function_call": .toolCalls
            case "content_filter": .contentFilter
            default: tools.isEmpty ? .stop : .toolCalls
            }
        events.append(.init(kind: .finish, choice: index, finish: finish, rawFinish: reason))
    }

    private mutating func decode(_ call: JSON, _ position: Int, into events: inout [ChatAPI.ChatEvent]) {
        // Some servers leave the index out: an id begins the next call, its absence goes on with the last one.
        let place = call["index"]?.int ?? (call["id"]?.string == nil ? max(lastTool, 0) : lastTool + 1)
        let tool: Int
        if let known = tools[place] {
            tool = known
        } else {
            tool = tools.count
            tools[place] = tool
            let id = call["id"]?.string ?? ""
            events.append(
                .init(
                    kind: .toolCall, choice: index, toolIndex: tool, id: id.isEmpty ? "call_\(index)_\(tool)" : id,
                    name: call["function"]?["name"]?.string ?? ""))
        }
        lastTool = max(lastTool, place)
        guard let arguments = call["function"]?["arguments"] else { return }
        // Compatible servers send the arguments as an object.
        let text = arguments.string ?? (arguments.isNull ? "" : arguments.text())
        if !text.isEmpty { events.append(.init(kind: .toolArguments, choice: index, text: text, toolIndex: tool)) }
    }
}

/// OpenAI's `usage`.
package enum OpenAIUsage {
    /// nil when `json` is absent, null or no usage object.
    package static func decode(_ json: JSON?) -> ChatAPI.Usage? {
        guard let json, let input = json["prompt_tokens"]?.int else { return nil }
        return ChatAPI.Usage(
            inputTokens: max(0, input), outputTokens: max(0, json["completion_tokens"]?.int ?? 0),
            cachedInputTokens: max(0, json["prompt_tokens_details"]?["cached_tokens"]?.int ?? 0),
            reasoningTokens: max(0, json["completion_tokens_details"]?["reasoning_tokens"]?.int ?? 0))
    }
}
