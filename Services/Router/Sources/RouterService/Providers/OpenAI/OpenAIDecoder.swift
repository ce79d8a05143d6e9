import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// Answers of `POST /v1/chat/completions`: a stream of chunks, or one document.
///
/// A choice goes from open to finished with its `finish_reason`. The answer is complete when as many choices as asked for are
/// finished, or all there are when the stream ends; `[DONE]` is not needed. It is over with `[DONE]`, or complete with usage.
package struct OpenAIDecoder: EventDecoder {
    package private(set) var meta = AnswerMeta()
    private let expected: Int
    private var choices: [Int: OpenAIChoice] = [:]
    private var isDone = false

    /// More choices than this in one answer are not believed.
    private static let maxChoices = 128

    package init(choices: Int) { expected = max(1, choices) }

    package var isComplete: Bool {
        let finished = choices.values.filter(\.isFinished).count
        return finished > 0 && finished == choices.count && (finished >= expected || isDone)
    }

    package var isOver: Bool { isDone || (isComplete && meta.usage != nil) }

    package mutating func take(_ event: SSEEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if event.data.readableBytesView.starts(with: "[DONE]".utf8) { return isDone = true }
        let chunk = try json(event.data)
        if let error = chunk["error"], !error.isNull { throw .provider(ProviderError(inStream: chunk)) }
        note(chunk)
        for choice in chunk["choices"]?.array ?? [] { try take(choice, content: choice["delta"], into: &events) }
    }

    package mutating func takeWhole(_ body: ByteBuffer) throws(DecodeFault) -> [ChatAPI.ChatEvent] {
        let answer = try json(body)
        if let error = answer["error"], !error.isNull { throw .provider(ProviderError(inStream: answer)) }
        note(answer)
        guard let list = answer["choices"]?.array, !list.isEmpty else { throw .malformed("answered 200 without an answer") }
        var events: [ChatAPI.ChatEvent] = []
        for choice in list {
            guard choice["message"]?.object != nil else { throw .malformed("answered 200 without a message") }
            try take(choice, content: choice["message"], into: &events)
        }
        isDone = true
        guard isComplete else { throw .malformed("sent an answer without finish_reason") }
        return events
    }

    private mutating func note(_ document: JSON) {
        if meta.id.isEmpty, let id = document["id"]?.string { meta.id = id }
        if meta.created == 0, let created = document["created"]?.int { meta.created = created }
        if let usage = OpenAIUsage.decode(document["usage"]) { meta.usage = usage }
    }

    private mutating func take(
        _ choice: JSON, content: JSON?, into events: inout [ChatAPI.ChatEvent]
    ) throws(DecodeFault) {
        let index = choice["index"]?.int ?? 0
        guard (0 ..< Self.maxChoices).contains(index) else { throw .malformed("sent a choice with the index \(index)") }
        var state = choices[index] ?? OpenAIChoice(index: index)
        if let content { state.decode(content, into: &events) }
        state.decode(logprobs: choice["logprobs"], into: &events)
        if let reason = choice["finish_reason"]?.string { state.finish(reason, into: &events) }
        choices[index] = state
    }
}
