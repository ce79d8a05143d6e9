import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// A streamed answer as OpenAI's chunks.
///
/// A choice goes unopened → open (its role was sent) → finished. The finish of the last choice is held back until the answer
/// is complete, because the last regular event carries what is only known then. `[DONE]` follows only when all are finished.
package struct OpenAIChatStream: ChatStream {
    private let choices: Int
    private let includesUsage: Bool
    private let requestID: String
    private var head = ByteBuffer()
    private var opened: Set<Int> = []
    private var finished: Set<Int> = []
    private var heldFinish: ChatAPI.ChatEvent?
    private var usage: ChatAPI.Usage?

    /// - Parameter choices: how many the client asked for.
    init(choices: Int, includesUsage: Bool, requestID: String) {
        self.choices = choices
        self.includesUsage = includesUsage
        self.requestID = requestID
    }

    package var keepAlive: ByteBuffer { ByteBuffer(string: ": keep-alive\n\n") }

    package mutating func write(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        switch event.kind {
        case .keepalive, .unspecified, .signature, .redactedThinking, .rawBlock, .rawDelta: return
        case .usage: usage = event.usage ?? usage
        case .start:
            begin(event.served ?? ChatAPI.Served())
            open(0, into: &buffer)
        case .finish:
            releaseFinish(into: &buffer)
            open(event.choice, into: &buffer)
            finished.insert(event.choice)
            heldFinish = event
        default:
            releaseFinish(into: &buffer)
            open(event.choice, into: &buffer)
            chunk(into: &buffer) { Self.writeDelta(event, to: &$0) }
        }
    }

    package mutating func finish(_ facts: AnswerFacts, into buffer: inout ByteBuffer) throws {
        guard finished.count >= choices else {
            throw EdgeError(
                .badGateway, code: "stream_broken", message: "The answer broke off before it was complete. Try again.")
        }
        if let event = heldFinish.take() {
            chunk(into: &buffer, facts: includesUsage ? nil : facts) { Self.writeFinish(event, to: &$0) }
        }
        if includesUsage { usageChunk(facts, into: &buffer) }
        buffer.writeStaticString("data: [DONE]\n\n")
    }

    package func fail(_ error: EdgeError, into buffer: inout ByteBuffer) {
        SSEWriter.write(into: &buffer) { error.write(.openAI, requestID: requestID, to: &$0) }
    }

    /// What all chunks of one answer have in common.
    private mutating func begin(_ served: ChatAPI.Served) {
        guard head.readableBytes == 0 else { return }
        head.writeStaticString("{\"id\":")
        head.writeJSONString(OpenAIChat.id(served, requestID))
        head.writeStaticString(",\"object\":\"chat.completion.chunk\",\"created\":")
        head.writeString(String(OpenAIChat.created(served)))
        head.writeStaticString(",\"model\":")
        head.writeJSONString(served.model)
        head.writeStaticString(",\"choices\":[")
    }

    private mutating func open(_ choice: Int, into buffer: inout ByteBuffer) {
        guard opened.insert(choice).inserted else { return }
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

    private mutating func releaseFinish(into buffer: inout ByteBuffer) {
        guard let event = heldFinish.take() else { return }
        chunk(into: &buffer) { Self.writeFinish(event, to: &$0) }
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

    private static func writeDelta(_ event: ChatAPI.ChatEvent, to writer: inout JSONWriter) {
        writer.field("index", event.choice)
        writer.object("delta") { delta in
            switch event.kind {
            case .text: delta.field("content", event.text)
            case .refusal: delta.field("refusal", event.text)
            case .thinking: delta.field("reasoning_content", event.text)
            case .toolCall, .toolArguments: delta.array("tool_calls") { list in writeCall(event, to: &list) }
            default: break
            }
        }
        if event.kind == .logprobs, let json = event.json {
            writer.name("logprobs")
            writer.raw(json)
        } else {
            writer.nullField("logprobs")
        }
        writer.nullField("finish_reason")
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

    private static func writeFinish(_ event: ChatAPI.ChatEvent, to writer: inout JSONWriter) {
        writer.field("index", event.choice)
        writer.object("delta") { _ in }
        writer.nullField("logprobs")
        writer.field("finish_reason", OpenAIChat.finishReason(event))
    }
}
