import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// A streamed answer as Anthropic's events.
///
/// Begins with message_start; then content blocks with contiguous indexes, one open at a time; message_delta, held back until
/// the answer is complete because it carries the usage; message_stop. Calls that a provider tells by turns are put in order.
package struct AnthropicStream: ChatStream {
    private enum Block: Equatable {
        case text
        case thinking
        case tool(index: Int)
        /// What only this dialect knows.
        case raw
    }

    private let requestID: String
    private var order = BlockOrder()
    private var hasBegun = false
    private var served = ChatAPI.Served()
    private var block: Block?
    /// The open block of reasoning has its signature: more reasoning is another block.
    private var isSigned = false
    private var nextIndex = 0
    private var toolsSeen: Set<Int> = []
    private var finish: ChatAPI.ChatEvent?
    private var usage: ChatAPI.Usage?

    init(requestID: String) { self.requestID = requestID }

    package var keepAlive: ByteBuffer { ByteBuffer(string: "event: ping\ndata: {\"type\":\"ping\"}\n\n") }

    package mutating func write(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        guard event.choice == 0 else { return }
        if order.admits(event) { try tell(event, into: &buffer) }
        while let due = order.next() { try tell(due, into: &buffer) }
    }

    private mutating func tell(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        switch event.kind {
        case .start: begin(event.served ?? ChatAPI.Served(), event.usage, into: &buffer)
        case .text, .refusal:
            if event.beginsBlock { leave(into: &buffer) }
            enter(.text, event, into: &buffer)
            if !event.text.isEmpty { delta(into: &buffer, "text_delta", "text", event.text) }
        case .thinking:
            if isSigned { leave(into: &buffer) }
            enter(.thinking, event, into: &buffer)
            if !event.text.isEmpty { delta(into: &buffer, "thinking_delta", "thinking", event.text) }
            if let signature = event.signature { sign(signature, into: &buffer) }
        case .signature:
            enter(.thinking, event, into: &buffer)
            sign(event.signature ?? event.text, into: &buffer)
        case .redactedThinking: redacted(event.signature ?? event.text, into: &buffer)
        case .toolCall: enter(.tool(index: event.toolIndex), event, into: &buffer)
        case .toolArguments: try arguments(event, into: &buffer)
        case .rawBlock: rawBlock(event, into: &buffer)
        case .rawDelta: rawDelta(event, into: &buffer)
        case .finish: finish = event
        case .usage: usage = event.usage ?? usage
        case .logprobs, .keepalive, .unspecified: break
        }
    }

    package mutating func finish(_ facts: AnswerFacts, into buffer: inout ByteBuffer) throws {
        guard let finish else {
            throw EdgeError(
                .badGateway, code: "stream_broken", message: "The answer broke off before it was complete. Try again.")
        }
        begin(facts.served, nil, into: &buffer)
        leave(into: &buffer)
        emit("message_delta", into: &buffer) { writer in
            writer.object("delta") { AnthropicChat.writeStop(finish, served, callsTools: !toolsSeen.isEmpty, to: &$0) }
            writer.name("usage")
            AnthropicChat.write(usage ?? ChatAPI.Usage(), served, to: &writer)
            facts.write(to: &writer)
        }
        emit("message_stop", into: &buffer) { _ in }
    }

    package func fail(_ error: EdgeError, into buffer: inout ByteBuffer) {
        SSEWriter.write(name: "error", into: &buffer) { error.write(.anthropic, requestID: requestID, to: &$0) }
    }

    private mutating func begin(_ served: ChatAPI.Served, _ usage: ChatAPI.Usage?, into buffer: inout ByteBuffer) {
        guard !hasBegun else { return }
        hasBegun = true
        self.served = served
        emit("message_start", into: &buffer) { writer in
            writer.object("message") { message in
                message.field("id", AnthropicChat.id(served, requestID))
                message.field("type", "message")
                message.field("role", "assistant")
                message.field("model", served.model)
                message.array("content") { _ in }
                AnthropicChat.writeStop(nil, served, to: &message)
                message.name("usage")
                AnthropicChat.write(usage ?? ChatAPI.Usage(), served, to: &message)
            }
        }
    }

    private var isNative: Bool { served.dialect == .anthropicMessages }

    /// Opens a block unless it is the open one; a call of a tool is always a block of its own.
    private mutating func enter(_ wanted: Block, _ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        if block == wanted, event.kind != .toolCall { return }
        open(wanted, into: &buffer) { Self.writeStart(wanted, event, to: &$0) }
        if case .tool(let index) = wanted { toolsSeen.insert(index) }
    }

    private mutating func open(_ wanted: Block, into buffer: inout ByteBuffer, _ members: (inout JSONWriter) -> Void) {
        begin(ChatAPI.Served(), nil, into: &buffer)
        leave(into: &buffer)
        block = wanted
        emit("content_block_start", into: &buffer) { writer in
            writer.field("index", nextIndex)
            writer.object("content_block", members)
        }
    }

    private static func writeStart(_ block: Block, _ event: ChatAPI.ChatEvent, to writer: inout JSONWriter) {
        switch block {
        case .text, .raw:
            writer.field("type", "text")
            writer.field("text", "")
        case .thinking:
            writer.field("type", "thinking")
            writer.field("thinking", "")
            writer.field("signature", "")
        case .tool:
            writer.field("type", "tool_use")
            writer.field("id", event.id ?? "")
            writer.field("name", event.name ?? "")
            writer.object("input") { _ in }
        }
    }

    private mutating func leave(into buffer: inout ByteBuffer) {
        isSigned = false
        guard block.take() != nil else { return }
        emit("content_block_stop", into: &buffer) { $0.field("index", nextIndex) }
        nextIndex += 1
    }

    private mutating func sign(_ signature: String, into buffer: inout ByteBuffer) {
        let shown = isSigned ? signature : SignatureLabel.shown(signature, of: served.dialect, to: .anthropicMessages)
        isSigned = true
        delta(into: &buffer, "signature_delta", "signature", shown)
    }

    private mutating func redacted(_ data: String, into buffer: inout ByteBuffer) {
        begin(ChatAPI.Served(), nil, into: &buffer)
        let shown = SignatureLabel.shown(data, of: served.dialect, to: .anthropicMessages)
        open(.raw, into: &buffer) {
            $0.field("type", "redacted_thinking")
            $0.field("data", shown)
        }
        leave(into: &buffer)
    }

    private mutating func rawBlock(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        guard isNative, let members = event.json.flatMap({ try? JSON.parse($0) })?.object else {
            // Nothing of it is shown; a text that follows is not to be glued to one before.
            return leave(into: &buffer)
        }
        open(members["type"] == "text" ? .text : .raw, into: &buffer) { block in
            for (name, value) in members { block.field(name, value) }
        }
    }

    private mutating func rawDelta(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        guard isNative, let delta = event.json.flatMap({ try? JSON.parse($0) })?.object else { return }
        if block == nil { enter(.text, event, into: &buffer) }
        emit("content_block_delta", into: &buffer) { writer in
            writer.field("index", nextIndex)
            writer.field("delta", .object(delta))
        }
    }

    /// Blocks cannot be reopened: arguments for a call whose block is closed have no place in this dialect.
    private func arguments(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        guard block == .tool(index: event.toolIndex) else {
            // That a call without arguments has none may be said at any time.
            if toolsSeen.contains(event.toolIndex), ["", "{}"].contains(event.text) { return }
            throw BlockOrder.fault(event, isKnown: toolsSeen.contains(event.toolIndex))
        }
        if !event.text.isEmpty { delta(into: &buffer, "input_json_delta", "partial_json", event.text) }
    }

    private func delta(into buffer: inout ByteBuffer, _ type: String, _ member: String, _ text: String) {
        emit("content_block_delta", into: &buffer) { writer in
            writer.field("index", nextIndex)
            writer.object("delta") {
                $0.field("type", type)
                $0.field(member, text)
            }
        }
    }

    /// One event; its data repeats its name as `type`.
    private func emit(_ name: String, into buffer: inout ByteBuffer, _ body: (inout JSONWriter) -> Void) {
        SSEWriter.write(name: name, into: &buffer) { writer in
            writer.object {
                $0.field("type", name)
                body(&$0)
            }
        }
    }
}
