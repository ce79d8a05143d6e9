import BulkheadAPI
import BulkheadJSON

/// One output item while it arrives: open, then done.
struct ResponsesItem: Sendable, Equatable {
    enum Kind: Sendable { case message, reasoning, call, raw }

    let kind: Kind
    private(set) var isDone = false
    /// Deltas came for texts of these kinds: what `done` repeats of them is known.
    private var hasText = false
    private var hasRefusal = false
    private var hasSummary = false
    private var hasReasoning = false
    private var summaryParts = 0

    init(_ type: JSONSpelling?) {
        kind =
            switch type {
            case "message": .message
            case "reasoning": .reasoning
            case "function_call": .call
            default: .raw
            }
    }

    mutating func extend(_ type: JSONSpelling, _ document: JSONView, into events: inout [ChatAPI.ChatEvent]) {
        let delta = document["delta"]?.string
        switch (kind, type) {
        case (.message, "response.output_text.delta"):
            hasText = true
            events.text(.text, delta)
            Self.logprobs(document["logprobs"], into: &events)
        case (.message, "response.refusal.delta"):
            hasRefusal = true
            events.text(.refusal, delta)
        case (.reasoning, "response.reasoning_summary_part.added"):
            summaryParts += 1
            if summaryParts > 1, hasSummary { events.text(.thinking, "\n\n") }
        case (.reasoning, "response.reasoning_summary_text.delta"):
            hasSummary = true
            events.text(.thinking, delta)
        case (.reasoning, "response.reasoning_text.delta"):
            hasReasoning = true
            events.text(.thinking, delta)
        default: break
        }
    }

    /// Takes the whole item: what deltas did not bring.
    mutating func finish(_ json: JSONView?, into events: inout [ChatAPI.ChatEvent]) {
        isDone = true
        switch kind {
        case .message: finishMessage(json, into: &events)
        case .reasoning:
            if !hasSummary, !hasReasoning {
                let summary = (json?["summary"]).elements
                let parts = summary.isEmpty ? (json?["content"]).elements : summary
                events.text(.thinking, parts.compactMap { $0["text"]?.string }.joined(separator: "\n\n"))
            }
            events.signature(json?["encrypted_content"]?.string, id: json?["id"]?.string)
        case .raw, .call: break
        }
    }

    private func finishMessage(_ json: JSONView?, into events: inout [ChatAPI.ChatEvent]) {
        for part in (json?["content"]).elements {
            switch part["type"]?.spelling {
            case "output_text" where !hasText:
                events.text(.text, part["text"]?.string)
                Self.logprobs(part["logprobs"], into: &events)
                for (index, annotation) in part["annotations"].elements.enumerated() {
                    events.raw(
                        .rawDelta,
                        [
                            "type": "response.output_text.annotation.added", "annotation_index": .int(Int64(index)),
                            "annotation": annotation.json,
                        ])
                }
            case "refusal" where !hasRefusal: events.text(.refusal, part["refusal"]?.string)
            default: break
            }
        }
    }

    /// As the logprobs object of chat completions.
    private static func logprobs(_ json: JSONView?, into events: inout [ChatAPI.ChatEvent]) {
        guard let json, !json.elements.isEmpty else { return }
        events.append(.init(kind: .logprobs, json: JSON.object(["content": json.json]).text()))
    }
}
