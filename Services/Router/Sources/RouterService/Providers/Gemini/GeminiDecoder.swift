import BulkheadAPI
import BulkheadJSON
import NIOCore

/// Answers of `generateContent`: a stream of whole responses whose parts follow each other, or one of them.
///
/// A candidate goes from open to finished with its `finishReason`. The answer is complete when as many candidates as asked for
/// are finished; nothing else ends the stream. It is over when usage came with or after the last finish.
package struct GeminiDecoder: EventDecoder {
    package private(set) var meta = AnswerMeta()
    private let expected: Int
    private var candidates: [Int: GeminiCandidate] = [:]
    private var isWhole = false
    private var hasFinalUsage = false
    /// Calls come without ids: theirs are made of the answer's, so that no two answers have the same.
    private var seed = UInt64.random(in: 0 ... .max)

    package init(choices: Int) { expected = max(1, choices) }

    package var isComplete: Bool {
        let finished = candidates.values.reduce(0) { $0 + ($1.isFinished ? 1 : 0) }
        return finished > 0 && finished == candidates.count && (finished >= expected || isWhole)
    }

    package var isOver: Bool { hasFinalUsage && isComplete }

    package mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try JSONView.read(event.data) { (chunk) throws(DecodeFault) in try take(chunk, into: &events) }
    }

    /// - Parameter answer: a response, or the array of chunks that comes without `alt=sse`.
    package mutating func takeWhole(_ answer: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        for chunk in answer.elements { try take(chunk, into: &events) }
        if !answer.isArray { try take(answer, into: &events) }
        isWhole = true
        guard isComplete else { throw .malformed("answered 200 without a finished answer") }
    }

    private mutating func take(_ chunk: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(chunk)
        guard chunk.isObject else { throw .malformed("sent an event that is no response") }
        if meta.id.isEmpty, let id = chunk["responseId"]?.string {
            meta.id = id
            seed = ToolSyntax.hash(id.utf8)
        }
        try refuseBlocked(chunk)
        for candidate in chunk["candidates"].elements { try takeCandidate(candidate, into: &events) }
        guard let usage = GeminiUsage.decode(chunk["usageMetadata"]) else { return }
        meta.usage = usage
        hasFinalUsage = isComplete
    }

    /// A prompt that is blocked has no candidates, only feedback.
    private func refuseBlocked(_ chunk: JSONView) throws(DecodeFault) {
        guard let feedback = chunk["promptFeedback"], let reason = feedback["blockReason"]?.string,
            chunk["candidates"].elements.isEmpty
        else { return }
        let words = feedback["blockReasonMessage"]?.string ?? "the prompt was blocked: \(reason)"
        throw .provider(ProviderError(status: 400, code: "content_policy_violation", message: words))
    }

    private mutating func takeCandidate(_ json: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let index =
            json["index"] == nil ? 0 : try DecodeBounds.index(json["index"], below: DecodeBounds.choices, of: "a candidate")
        guard index < expected else { throw .malformed("sent more candidates than asked for") }
        var candidate = candidates[index] ?? GeminiCandidate(index: index)
        try candidate.take(json, seed: seed, into: &events)
        candidates[index] = candidate
    }
}
