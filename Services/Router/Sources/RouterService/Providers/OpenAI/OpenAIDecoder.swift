import BulkheadAPI
import BulkheadJSON
import NIOCore

/// Answers of `POST /v1/chat/completions`: a stream of chunks, or one document.
///
/// A choice goes from open to finished with its `finish_reason`. The answer is complete when as many choices as asked for are
/// finished, or all there are when the stream ends; `[DONE]` is not needed. It is over with `[DONE]`, or when usage came with
/// or after the last finish: usage before that may still grow.
package struct OpenAIDecoder: EventDecoder {
    package private(set) var meta = AnswerMeta()
    private let expected: Int
    /// In the order in which they began.
    private var choices: [OpenAIChoice] = []
    private var isDone = false
    private var hasFinalUsage = false

    package init(choices: Int) { expected = max(1, choices) }

    package var isComplete: Bool {
        let finished = choices.reduce(0) { $0 + ($1.isFinished ? 1 : 0) }
        return finished > 0 && finished == choices.count && (finished >= expected || isDone)
    }

    package var isOver: Bool { isDone || (hasFinalUsage && isComplete) }

    package mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if event.data.readableBytesView.starts(with: "[DONE]".utf8) { return isDone = true }
        try JSONView.read(event.data) { (chunk) throws(DecodeFault) in try take(chunk, event.name, into: &events) }
    }

    private mutating func take(
        _ chunk: JSONView, _ name: String, into events: inout [ChatAPI.ChatEvent]
    ) throws(DecodeFault) {
        try refuseError(chunk)
        if name == "error" { throw .provider(ProviderError(inStream: chunk.json)) }
        for choice in chunk["choices"].elements { try take(choice, content: choice["delta"], into: &events) }
        note(chunk)
    }

    package mutating func takeWhole(_ answer: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(answer)
        let list = answer["choices"].elements
        if list.isEmpty { throw .malformed("answered 200 without an answer") }
        for choice in list {
            guard choice["message"]?.isObject == true else { throw .malformed("answered 200 without a message") }
            try take(choice, content: choice["message"], into: &events)
        }
        isDone = true
        note(answer)
        guard isComplete else { throw .malformed("sent an answer without finish_reason") }
    }

    private mutating func note(_ document: JSONView) {
        if meta.id.isEmpty, let id = document["id"]?.string { meta.id = id }
        if meta.created == 0, let created = DecodeBounds.count(document["created"]) { meta.created = created }
        if let fingerprint = document["system_fingerprint"]?.string { meta.systemFingerprint = fingerprint }
        if let tier = document["service_tier"]?.string { meta.serviceTier = tier }
        guard let usage = OpenAIUsage.decode(document["usage"]) else { return }
        meta.usage = usage
        hasFinalUsage = isComplete
    }

    private mutating func take(
        _ choice: JSONView, content: JSONView?, into events: inout [ChatAPI.ChatEvent]
    ) throws(DecodeFault) {
        let index =
            choice["index"] == nil ? 0 : try DecodeBounds.index(choice["index"], below: DecodeBounds.choices, of: "a choice")
        guard index < expected else { throw .malformed("sent more choices than asked for") }
        let place = choices.firstIndex { $0.index == index }
        var state = place.map { choices[$0] } ?? OpenAIChoice(index: index)
        if let content { try state.decode(content, into: &events) }
        state.decode(logprobs: choice["logprobs"], into: &events)
        if let reason = DecodeBounds.finish(choice["finish_reason"]) { try state.finish(reason, into: &events) }
        if let place { choices[place] = state } else { choices.append(state) }
    }
}
