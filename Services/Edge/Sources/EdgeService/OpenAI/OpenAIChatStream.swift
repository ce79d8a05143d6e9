import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// A streamed answer as OpenAI's chunks.
///
/// A choice goes unopened → open (its role was sent) → finished. The finish of the last choice is held back until the answer
/// is complete, because the last regular event carries what is only known then. `[DONE]` follows only when all are finished.
/// Where logprobs were asked for, a text is held back until the next event, so that its own stand beside it.
package struct OpenAIChatStream: ChatStream {
    private struct Choice {
        var isOpen = false
        var isFinished = false
        var callsTools = false
        /// Reasoning since the last signature: a signature is told together with what it signs.
        var thinking = ""
        var thinkingBlocks = 0
    }

    private let choices: Int
    private let includesUsage: Bool
    private let wantsLogprobs: Bool
    private let requestID: String
    private var head = ByteBuffer()
    private var dialect = ChatAPI.Dialect.unspecified
    private var states: [Int: Choice] = [:]
    private var heldText: ChatAPI.ChatEvent?
    private var heldFinish: ChatAPI.ChatEvent?
    private var usage: ChatAPI.Usage?

    init(_ call: ChatCall, requestID: String) {
        choices = call.chat.choices ?? 1
        includesUsage = call.includesUsage
        wantsLogprobs = call.chat.logprobs == true
        self.requestID = requestID
    }

    package var keepAlive: ByteBuffer { ByteBuffer(string: ": keep-alive\n\n") }

    package mutating func write(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        switch event.kind {
        case .keepalive, .unspecified, .rawBlock: return
        // Where a block begins is not told in this dialect.
        case .text where event.text.isEmpty: return
        case .usage: usage = event.usage ?? usage
        case .start:
            begin(event.served ?? ChatAPI.Served())
            open(0, into: &buffer)
        case .finish:
            release(into: &buffer)
            open(event.choice, into: &buffer)
            states[event.choice, default: Choice()].isFinished = true
            heldFinish = event
        case .logprobs:
            let text = heldText.take(if: { $0.choice == event.choice })
            release(into: &buffer)
            delta(event.choice, logprobs: event.json, into: &buffer) { if let text { $0.field("content", text.text) } }
        default:
            release(into: &buffer)
            if wantsLogprobs, event.kind == .text { heldText = event } else { content(event, into: &buffer) }
        }
    }

    package mutating func finish(_ facts: AnswerFacts, into buffer: inout ByteBuffer) throws {
        guard states.values.count(where: \.isFinished) >= choices else {
            throw EdgeError(
                .badGateway, code: "stream_broken", message: "The answer broke off before it was complete. Try again.")
        }
        if let event = heldFinish.take() { writeFinish(event, includesUsage ? nil : facts, into: &buffer) }
        if includesUsage { usageChunk(facts, into: &buffer) }
        buffer.writeStaticString("data: [DONE]\n\n")
    }

    package func fail(_ error: EdgeError, into buffer: inout ByteBuffer) {
        SSEWriter.write(into: &buffer) { error.write(.openAI, requestID: requestID, to: &$0) }
    }

    /// What all chunks of one answer have in common.
    private mutating func begin(_ served: ChatAPI.Served) {
        guard head.readableBytes == 0 else { return }
        dialect = served.dialect
        head.writeStaticString("{\"id\":")
        head.writeJSONString(OpenAIChat.id(served, requestID))
        head.writeStaticString(",\"object\":\"chat.completion.chunk\",\"created\":")
        head.writeString(String(OpenAIChat.created(served)))
        head.writeStaticString(",\"model\":")
        head.writeJSONString(served.model)
        JSONWriter.append(to: &head) {
            $0.continueObject()
            OpenAIChat.writeService(served, to: &$0)
        }
        head.writeStaticString(",\"choices\":[")
    }

    private mutating func open(_ choice: Int, into buffer: inout ByteBuffer) {
        guard states[choice]?.isOpen != true else { return }
        states[choice, default: Choice()].isOpen = true
        chunk(into: &buffer) { writer in
            writer.field("index", choice)
            writer.object("delta") {
                $0.field("role", "assistant")
                $0.field("content", "")
                $0.nullField("refusal")
            }
            writer.nullField("logprobs")
            writer.nullField("finish_reason")
        }
    }

    /// Writes what was held back.
    private mutating func release(into buffer: inout ByteBuffer) {
        if let text = heldText.take() { content(text, into: &buffer) }
        if let event = heldFinish.take() { writeFinish(event, nil, into: &buffer) }
    }

    private mutating func content(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        switch event.kind {
        case .thinking: think(event, into: &buffer)
        case .signature: sign(event.choice, event.signature ?? event.text, into: &buffer)
        case .redactedThinking: sign(event.choice, event.signature ?? event.text, redacted: true, into: &buffer)
        case .rawDelta: raw(event, into: &buffer)
        case .toolCall, .toolArguments:
            states[event.choice, default: Choice()].callsTools = true
            delta(event.choice, into: &buffer) { $0.array("tool_calls") { list in Self.writeCall(event, to: &list) } }
        case .refusal: delta(event.choice, into: &buffer) { $0.field("refusal", event.text) }
        default: text(event, into: &buffer)
        }
    }

    /// What nearly all chunks are, without a writer's steps.
    private mutating func text(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        open(event.choice, into: &buffer)
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        buffer.writeStaticString("{\"index\":")
        buffer.writeString(String(event.choice))
        buffer.writeStaticString(",\"delta\":{\"content\":")
        buffer.writeJSONString(event.text)
        buffer.writeStaticString("},\"logprobs\":null,\"finish_reason\":null}]")
        if includesUsage { buffer.writeStaticString(",\"usage\":null") }
        close(nil, &buffer)
    }

    private mutating func think(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        if !event.text.isEmpty {
            states[event.choice, default: Choice()].thinking += event.text
            delta(event.choice, into: &buffer) { $0.field("reasoning_content", event.text) }
        }
        if let signature = event.signature { sign(event.choice, signature, into: &buffer) }
    }

    private mutating func sign(_ choice: Int, _ signature: String, redacted: Bool = false, into buffer: inout ByteBuffer) {
        var state = states[choice] ?? Choice()
        let (text, index, dialect) = (state.thinking, state.thinkingBlocks, dialect)
        if !redacted { state.thinking = "" }
        state.thinkingBlocks += 1
        states[choice] = state
        delta(choice, into: &buffer) { delta in
            delta.array("thinking_blocks") {
                OpenAIChat.writeThinking(text, signature, redacted: redacted, index: index, of: dialect, to: &$0)
            }
        }
    }

    /// Members of a delta that only this dialect knows.
    private mutating func raw(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        guard dialect == .openaiChat, let members = event.json.flatMap({ try? JSON.parse($0) })?.object else { return }
        delta(event.choice, into: &buffer) { delta in for (name, value) in members { delta.field(name, value) } }
    }

    private mutating func delta(
        _ choice: Int, logprobs: String? = nil, into buffer: inout ByteBuffer, _ body: (inout JSONWriter) -> Void
    ) {
        open(choice, into: &buffer)
        chunk(into: &buffer) { writer in
            writer.field("index", choice)
            writer.object("delta", body)
            writer.name("logprobs")
            writer.raw(logprobs ?? "null")
            writer.nullField("finish_reason")
        }
    }

    private mutating func writeFinish(_ event: ChatAPI.ChatEvent, _ facts: AnswerFacts?, into buffer: inout ByteBuffer) {
        let reason = OpenAIChat.finishReason(event, dialect, callsTools: states[event.choice]?.callsTools ?? false)
        chunk(into: &buffer, facts: facts) { writer in
            writer.field("index", event.choice)
            writer.object("delta") { _ in }
            writer.nullField("logprobs")
            writer.field("finish_reason", reason)
        }
    }

    /// One chunk with one choice, whose members `body` writes.
    private mutating func chunk(into buffer: inout ByteBuffer, facts: AnswerFacts? = nil, _ body: (inout JSONWriter) -> Void) {
        begin(ChatAPI.Served())
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        JSONWriter.append(to: &buffer) { $0.object(body) }
        buffer.writeStaticString("]")
        if includesUsage { buffer.writeStaticString(",\"usage\":null") }
        close(facts, &buffer)
    }

    private mutating func usageChunk(_ facts: AnswerFacts, into buffer: inout ByteBuffer) {
        begin(facts.served)
        buffer.writeStaticString("data: ")
        buffer.writeImmutableBuffer(head)
        buffer.writeStaticString("],\"usage\":")
        JSONWriter.append(to: &buffer) { OpenAIChat.write(usage ?? ChatAPI.Usage(), to: &$0) }
        close(facts, &buffer)
    }

    private func close(_ facts: AnswerFacts?, _ buffer: inout ByteBuffer) {
        if let facts {
            buffer.writeStaticString(",")
            JSONWriter.append(to: &buffer) { facts.write(to: &$0) }
        }
        buffer.writeStaticString("}\n\n")
    }

    /// Id and name stand in the first fragment of a call only.
    private static func writeCall(_ event: ChatAPI.ChatEvent, to list: inout JSONWriter) {
        list.object { call in
            call.field("index", event.toolIndex)
            if event.kind == .toolCall {
                call.field("id", event.id ?? "")
                call.field("type", "function")
            }
            call.object("function") { function in
                if event.kind == .toolCall { function.field("name", event.name ?? "") }
                function.field("arguments", event.kind == .toolCall ? "" : event.text)
            }
        }
    }
}

extension Optional {
    /// Takes the value out if there is one that fits.
    fileprivate mutating func take(if fits: (Wrapped) -> Bool) -> Wrapped? {
        guard let value = self, fits(value) else { return nil }
        self = nil
        return value
    }
}
