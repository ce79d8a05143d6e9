import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import EdgeService
import NIOCore

/// What a provider answered is shown to clients of every dialect as JSON and as events they can read.
enum ShownCheck {
    private static let dialects: [any ChatDialect] = [OpenAIChat(), ResponsesChat(), AnthropicChat()]

    static func check(_ outcome: AnswerOutcome, of answer: Answer) throws {
        guard outcome.isComplete, outcome.fault == nil else { return }
        let served = ChatAPI.Served(
            provider: "p", model: "m", responseID: outcome.meta?.id ?? "", created: outcome.meta?.created ?? 0,
            dialect: answer.dialect.wire)
        var events = [ChatAPI.ChatEvent(kind: .start, served: served)] + outcome.events
        if let usage = outcome.meta?.usage { events.append(ChatAPI.ChatEvent(kind: .usage, usage: usage)) }
        let chat = ChatAPI.ChatRequest(model: "m", choices: answer.choices, stream: true)
        let facts = AnswerFacts(served: served, usage: outcome.meta?.usage)
        for dialect in dialects {
            try checkStream(events, ChatCall(chat: chat, includesUsage: true), dialect, facts)
            try checkWhole(events, ChatCall(chat: chat), dialect, facts)
        }
    }

    private static func checkStream(
        _ events: [ChatAPI.ChatEvent], _ call: ChatCall, _ dialect: any ChatDialect, _ facts: AnswerFacts
    ) throws {
        var (stream, bytes) = (dialect.stream(call, requestID: "r"), ByteBuffer())
        do {
            for event in events { try stream.write(event, into: &bytes) }
            try stream.finish(facts, into: &bytes)
        } catch let error as EdgeError {
            stream.fail(error, into: &bytes)
        }
        var parser = SSEParser()
        for event in try parser.feed(bytes) where event.data != ByteBuffer(string: "[DONE]") {
            let document = try? JSON.parse(event.data, maxDepth: JSON.deepestNesting)
            try promise(document?.object != nil, "shown to \(dialect): \(event.name) \(String(buffer: event.data))")
        }
        try promise(!parser.isInsideEvent, "an event without an end for \(dialect): \(String(buffer: bytes))")
    }

    private static func checkWhole(
        _ events: [ChatAPI.ChatEvent], _ call: ChatCall, _ dialect: any ChatDialect, _ facts: AnswerFacts
    ) throws {
        var collected = CollectedAnswer()
        for event in events { collected.add(event) }
        let bytes = dialect.encode(collected, to: call, facts, requestID: "r")
        let document = try? JSON.parse(bytes, maxDepth: JSON.deepestNesting)
        try promise(document?.object != nil, "shown to \(dialect): \(String(buffer: bytes))")
    }
}
