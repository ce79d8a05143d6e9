import BulkheadAPI
import BulkheadJSON
import NIOCore

/// Answers of Converse: a stream of framed events, or one document.
///
/// messageStart → content blocks (start for calls only, deltas, stop) → messageStop with the stop reason, which completes the
/// answer → metadata with usage, which ends it. Exceptions are events of the framing.
package struct BedrockDecoder: EventDecoder {
    private enum Block: Sendable { case text, thinking, tool, raw }

    package private(set) var meta = AnswerMeta()
    package private(set) var isComplete = false
    package private(set) var isOver = false
    private var open: [Int: Block] = [:]
    private var begun = 0
    private var calls = ToolCalls()

    package init() {}

    package mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if event.data.readableBytes == 0 { return try take(event, nil, into: &events) }
        try JSONView.read(event.data) { (document) throws(DecodeFault) in try take(event, document, into: &events) }
    }

    private mutating func take(
        _ event: WireEvent, _ document: JSONView?, into events: inout [ChatAPI.ChatEvent]
    ) throws(DecodeFault) {
        if event.isException || event.name.hasSuffix("Exception") {
            throw .provider(ProviderError(inStream: document?.json ?? .null, name: event.name))
        }
        switch event.name {
        case "messageStart":
            guard begun == 0, !isComplete else { throw .malformed("began its answer twice") }
            events.keepalive()
        case "contentBlockStart": try begin(document, into: &events)
        case "contentBlockDelta": try extend(document?["delta"], at: try index(document), into: &events)
        case "contentBlockStop": end(try index(document), into: &events)
        case "messageStop": try finish(document, into: &events)
        case "metadata":
            note(document)
            isOver = isComplete
        default: events.keepalive()
        }
    }

    package mutating func takeWhole(_ answer: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(answer)
        guard let blocks = answer["output"]?["message"]?["content"], blocks.isArray else {
            if let words = answer["message"]?.string {
                throw .provider(ProviderError(status: 500, code: "", message: words))
            }
            throw .malformed("answered 200 without an answer")
        }
        for (index, block) in blocks.elements.enumerated() { try take(block: block, at: index, into: &events) }
        note(answer)
        try finish(answer, into: &events)
        isOver = true
    }

    private func index(_ document: JSONView?) throws(DecodeFault) -> Int {
        try DecodeBounds.index(document?["contentBlockIndex"], below: DecodeBounds.blocks, of: "a content block")
    }

    private mutating func note(_ document: JSONView?) {
        if let tier = document?["serviceTier"]?["type"]?.string { meta.serviceTier = tier }
        guard let usage = document?["usage"], let input = DecodeBounds.count(usage["inputTokens"]) else { return }
        let cached = DecodeBounds.count(usage["cacheReadInputTokens"]) ?? 0
        let written = DecodeBounds.count(usage["cacheWriteInputTokens"]) ?? 0
        let hours = usage["cacheDetails"].elements.first { "1h" ~= $0["ttl"]?.spelling }
        meta.usage = ChatAPI.Usage(
            inputTokens: input + cached + written, outputTokens: DecodeBounds.count(usage["outputTokens"]) ?? 0,
            cachedInputTokens: cached, cacheCreationInputTokens: written,
            cacheCreation1hInputTokens: min(DecodeBounds.count(hours?["inputTokens"]) ?? 0, written))
    }
}

extension BedrockDecoder {
    private mutating func begin(_ document: JSONView?, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let index = try index(document)
        guard open[index] == nil, !isComplete else { throw .malformed("began a content block twice") }
        let start = document?["start"]
        if let tool = start?["toolUse"] {
            try note(.tool, at: index)
            try begin(tool, at: index, into: &events)
        } else if let start, !start.members.isEmpty {
            try note(.raw, at: index)
            events.raw(.rawBlock, start.json)
        } else {
            events.keepalive()
        }
    }

    private mutating func begin(_ tool: JSONView, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let id = tool["toolUseId"]?.string ?? "tooluse_\(ToolSyntax.hex(.random(in: 0 ... .max)))"
        try calls.begin(index, id: id, name: tool["name"]?.string ?? "", into: &events)
    }

    private mutating func note(_ block: Block, at index: Int) throws(DecodeFault) {
        begun += 1
        guard begun <= DecodeBounds.blocks else { throw .malformed("sent more than \(DecodeBounds.blocks) content blocks") }
        open[index] = block
    }

    /// The first delta says what a block is that did not announce itself.
    private mutating func extend(_ delta: JSONView?, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if isComplete { throw .malformed("went on after the end of its answer") }
        if let tool = delta?["toolUse"] {
            guard open[index] == .tool else { throw .malformed("sent arguments of a tool call that is not open") }
            return try calls.extend(index, tool["input"]?.string ?? tool["input"]?.json.text() ?? "", into: &events)
        }
        let kind: Block = delta?["text"] != nil ? .text : delta?["reasoningContent"] != nil ? .thinking : .raw
        if open[index] == nil { try note(kind, at: index) }
        guard open[index] == kind || kind == .raw else { throw .malformed("sent a delta that does not fit its content block") }
        switch kind {
        case .text: events.text(.text, delta?["text"]?.string)
        case .thinking: think(delta?["reasoningContent"], into: &events)
        case .raw, .tool: events.raw(.rawDelta, delta?.json ?? .null)
        }
    }

    private func think(_ content: JSONView?, into events: inout [ChatAPI.ChatEvent]) {
        events.text(.thinking, content?["text"]?.string)
        events.signature(content?["signature"]?.string)
        if let withheld = content?["redactedContent"]?.string {
            events.append(.init(kind: .redactedThinking, signature: withheld))
        }
    }

    private mutating func end(_ index: Int, into events: inout [ChatAPI.ChatEvent]) {
        if open.removeValue(forKey: index) == .tool { calls.end(index, into: &events) }
    }

    /// A block of a whole answer.
    private mutating func take(block: JSONView, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if let tool = block["toolUse"] {
            try begin(tool, at: index, into: &events)
            if let input = tool["input"], !input.members.isEmpty { try calls.extend(index, input.json.text(), into: &events) }
            calls.end(index, into: &events)
        } else if let text = block["text"]?.string {
            events.text(.text, text)
        } else if let reasoning = block["reasoningContent"] {
            think(reasoning["reasoningText"] ?? reasoning, into: &events)
        } else {
            events.raw(.rawBlock, block.json)
        }
    }

    private mutating func finish(_ document: JSONView?, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard !isComplete else { return }
        guard let reason = DecodeBounds.finish(document?["stopReason"]) else {
            throw .malformed("sent an answer without stopReason")
        }
        let finish: ChatAPI.FinishReason
        switch reason {
        case "max_tokens", "model_context_window_exceeded": finish = .length
        case "tool_use": finish = .toolCalls
        case "guardrail_intervened", "content_filtered": finish = .contentFilter
        case "malformed_model_output", "malformed_tool_use":
            throw .provider(ProviderError(status: 500, code: reason, message: "the answer ended with stopReason \(reason)"))
        default: finish = calls.isEmpty ? .stop : .toolCalls
        }
        calls.endAll(into: &events)
        isComplete = true
        let stop = document?["additionalModelResponseFields"]?["stop_sequence"]?.string
        events.append(.init(kind: .finish, finish: finish, rawFinish: reason, stopSequence: stop))
    }
}
