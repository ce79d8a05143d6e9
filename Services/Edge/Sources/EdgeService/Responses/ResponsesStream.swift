import BulkheadAPI
import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// A streamed answer as typed events, numbered from 0 without a gap.
///
/// unbegun → running (response.created, response.in_progress) → ended by one of response.completed, response.incomplete and
/// response.failed; a failure of an unbegun answer is the event `error`. While it runs at most one item is open, the last, and of
/// a message at most one part, its last. There is no `[DONE]`. Where logprobs were asked for, a text is held back until the next
/// event, so that its own stand beside it. Calls that a provider tells by turns are put in order.
package struct ResponsesStream: ChatStream {
    private let call: ChatCall
    private let requestID: String
    private var order = BlockOrder()
    private var object: ResponseObject?
    private var number = 0
    private var items: [ResponseItem] = []
    private var isOpen = false
    /// Calls that were made: their index → their place among the items.
    private var calls: [Int: Int] = [:]
    private var heldText: ChatAPI.ChatEvent?
    private var finish: ChatAPI.ChatEvent?
    private var usage: ChatAPI.Usage?

    init(_ call: ChatCall, requestID: String) {
        self.call = call
        self.requestID = requestID
    }

    package var keepAlive: ByteBuffer { ByteBuffer(string: ": keep-alive\n\n") }

    package mutating func write(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        // Where a block of text begins is not told in this dialect.
        guard event.choice == 0, event.kind != .text || !event.text.isEmpty else { return }
        if order.admits(event) { try tell(event, into: &buffer) }
        while let due = order.next() { try tell(due, into: &buffer) }
    }

    private mutating func tell(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        let held = heldText.take()
        if let held { text(held, logprobs: event.kind == .logprobs ? event.json : nil, into: &buffer) }
        switch event.kind {
        case .start: _ = begin(event.served ?? ChatAPI.Served(), into: &buffer)
        case .text where call.chat.logprobs == true: heldText = event
        case .text, .refusal: text(event, logprobs: nil, into: &buffer)
        case .thinking, .signature, .redactedThinking: think(event, into: &buffer)
        case .toolCall: openCall(event, into: &buffer)
        case .toolArguments: try arguments(event, into: &buffer)
        case .rawBlock: openRaw(event, into: &buffer)
        case .rawDelta: raw(event, into: &buffer)
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
        let object = begin(facts.served, into: &buffer)
        let outcome = ResponseObject.Outcome.ended(finish)
        let status = ResponseObject.status(outcome)
        close(status == "completed" ? .completed : .incomplete, into: &buffer)
        let (items, usage) = (items, usage)
        emit("response.\(status)", into: &buffer) { writer in
            writer.name("response")
            object.write(outcome, items, usage, to: &writer)
            facts.write(to: &writer)
        }
    }

    package func fail(_ error: EdgeError, into buffer: inout ByteBuffer) {
        let (name, number) = (object == nil ? "error" : "response.failed", number)
        SSEWriter.write(name: name, into: &buffer) { writer in
            writer.object { writer in
                writer.field("type", name)
                writer.field("sequence_number", number)
                guard let object else {
                    writer.field("code", error.code)
                    writer.field("message", error.message)
                    return writer.field("param", error.param.map { .string($0) } ?? .null)
                }
                writer.name("response")
                object.write(.failed(error), items, usage, to: &writer)
            }
        }
    }

    private mutating func begin(_ served: ChatAPI.Served, into buffer: inout ByteBuffer) -> ResponseObject {
        if let object { return object }
        let object = ResponseObject(call, served, requestID: requestID)
        self.object = object
        for name in ["response.created", "response.in_progress"] {
            emit(name, into: &buffer) { writer in
                writer.name("response")
                object.write(.running, [], nil, to: &writer)
            }
        }
        return object
    }

    /// One event; its data repeats its name as `type`.
    private mutating func emit(_ name: String, into buffer: inout ByteBuffer, _ body: (inout JSONWriter) -> Void) {
        let number = number
        self.number += 1
        SSEWriter.write(name: name, into: &buffer) { writer in
            writer.object {
                $0.field("type", name)
                $0.field("sequence_number", number)
                body(&$0)
            }
        }
    }

    /// An event about the open item.
    /// - Parameter place: the part of it that it is about, by the member that says so.
    private mutating func detail(
        _ name: String, _ place: (member: String, index: Int)?, into buffer: inout ByteBuffer,
        _ body: (inout JSONWriter) -> Void
    ) {
        let (id, index) = (items[items.count - 1].id, items.count - 1)
        emit(name, into: &buffer) { writer in
            writer.field("item_id", id)
            writer.field("output_index", index)
            if let place { writer.field(place.member, place.index) }
            body(&writer)
        }
    }
}

// Items.
extension ResponsesStream {
    private var open: ResponseItem? { isOpen ? items.last : nil }

    private mutating func open(_ item: ResponseItem, into buffer: inout ByteBuffer) {
        close(.completed, into: &buffer)
        items.append(item)
        isOpen = true
        writeItem("response.output_item.added", .inProgress, into: &buffer)
    }

    private mutating func fresh(_ kind: ResponseItem.Kind, id: String? = nil, into buffer: inout ByteBuffer) -> ResponseItem {
        let object = begin(ChatAPI.Served(), into: &buffer)
        var item = ResponseItem(kind, stem: object.stem, index: items.count, id: id)
        item.isSummary = ResponsesChat.showsSummaries(object.served.dialect)
        return item
    }

    private mutating func writeItem(_ name: String, _ state: ResponseItem.State, into buffer: inout ByteBuffer) {
        let (item, index) = (items[items.count - 1], items.count - 1)
        emit(name, into: &buffer) { writer in
            writer.field("output_index", index)
            writer.name("item")
            item.write(state, to: &writer)
        }
    }

    /// Closes the open item, if there is one.
    private mutating func close(_ state: ResponseItem.State, into buffer: inout ByteBuffer) {
        guard let item = open else { return }
        switch item.kind {
        case .message: closePart(into: &buffer)
        case .reasoning: closeThought(item, into: &buffer)
        case .call:
            detail("response.function_call_arguments.done", nil, into: &buffer) {
                $0.field("name", item.name)
                $0.field("arguments", item.arguments)
            }
        case .raw: break
        }
        writeItem("response.output_item.done", state, into: &buffer)
        isOpen = false
    }
}

// Text.
extension ResponsesStream {
    private mutating func text(_ event: ChatAPI.ChatEvent, logprobs: String?, into buffer: inout ByteBuffer) {
        enterPart(isRefusal: event.kind == .refusal, into: &buffer)
        let (last, part) = (items.count - 1, items[items.count - 1].parts.count - 1)
        items[last].parts[part].text += event.text
        guard event.kind == .text else {
            return detail("response.refusal.delta", ("content_index", part), into: &buffer) { $0.field("delta", event.text) }
        }
        let told = logprobs.flatMap { try? JSON.parse($0) }?["content"]?.array ?? []
        items[last].parts[part].logprobs += told
        detail("response.output_text.delta", ("content_index", part), into: &buffer) {
            $0.field("delta", event.text)
            $0.field("logprobs", .array(told))
        }
    }

    private mutating func enterPart(isRefusal: Bool, into buffer: inout ByteBuffer) {
        if open?.kind != .message { open(fresh(.message, into: &buffer), into: &buffer) }
        if let part = items[items.count - 1].parts.last {
            if part.isRefusal == isRefusal { return }
            closePart(into: &buffer)
        }
        let part = ResponseItem.Part(isRefusal: isRefusal)
        items[items.count - 1].parts.append(part)
        writePart("response.content_part.added", part, into: &buffer)
    }

    private mutating func closePart(into buffer: inout ByteBuffer) {
        guard let part = items[items.count - 1].parts.last else { return }
        let place = ("content_index", items[items.count - 1].parts.count - 1)
        if part.isRefusal {
            detail("response.refusal.done", place, into: &buffer) { $0.field("refusal", part.text) }
        } else {
            detail("response.output_text.done", place, into: &buffer) {
                $0.field("text", part.text)
                $0.field("logprobs", .array(part.logprobs))
            }
        }
        writePart("response.content_part.done", part, into: &buffer)
    }

    private mutating func writePart(_ name: String, _ part: ResponseItem.Part, into buffer: inout ByteBuffer) {
        detail(name, ("content_index", items[items.count - 1].parts.count - 1), into: &buffer) { writer in
            writer.name("part")
            part.write(to: &writer)
        }
    }
}

// Reasoning.
extension ResponsesStream {
    /// Reasoning after a signature is another item: a signature belongs to what it signs.
    private mutating func think(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        let signature = event.kind == .thinking ? event.signature : event.signature ?? event.text
        let isWithheld = event.kind == .redactedThinking
        if open?.kind != .reasoning || isWithheld || (event.kind == .thinking && open?.signature.isEmpty == false) {
            open(fresh(.reasoning, id: event.id, into: &buffer), into: &buffer)
        }
        if event.kind == .thinking, !event.text.isEmpty { addThought(event.text, into: &buffer) }
        guard let signature, !signature.isEmpty else { return }
        let origin = object?.served.dialect ?? .unspecified
        let isFirst = items[items.count - 1].signature.isEmpty
        items[items.count - 1].signature +=
            isFirst ? SignatureLabel.shown(signature, of: origin, to: .openaiResponses, redacted: isWithheld) : signature
    }

    private mutating func addThought(_ text: String, into buffer: inout ByteBuffer) {
        // No copy of the item is kept: the text is to grow in place.
        let (isFirst, isSummary) = (items[items.count - 1].text.isEmpty, items[items.count - 1].isSummary)
        if isFirst { writeThought("added", items[items.count - 1], into: &buffer) }
        items[items.count - 1].text += text
        if isSummary {
            detail("response.reasoning_summary_text.delta", ("summary_index", 0), into: &buffer) { $0.field("delta", text) }
        } else {
            detail("response.reasoning_text.delta", ("content_index", 0), into: &buffer) { $0.field("delta", text) }
        }
    }

    private mutating func closeThought(_ item: ResponseItem, into buffer: inout ByteBuffer) {
        guard !item.text.isEmpty else { return }
        if item.isSummary {
            detail("response.reasoning_summary_text.done", ("summary_index", 0), into: &buffer) { $0.field("text", item.text) }
        } else {
            detail("response.reasoning_text.done", ("content_index", 0), into: &buffer) { $0.field("text", item.text) }
        }
        writeThought("done", item, into: &buffer)
    }

    private mutating func writeThought(_ what: String, _ item: ResponseItem, into buffer: inout ByteBuffer) {
        let name = item.isSummary ? "response.reasoning_summary_part" : "response.content_part"
        detail("\(name).\(what)", (item.isSummary ? "summary_index" : "content_index", 0), into: &buffer) { writer in
            writer.name("part")
            ResponseItem.writeThought(item.text, item.isSummary ? "summary_text" : "reasoning_text", to: &writer)
        }
    }
}

// Calls, and what only this dialect knows.
extension ResponsesStream {
    private mutating func openCall(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        var item = fresh(.call, into: &buffer)
        (item.callID, item.name) = (event.id ?? "", event.name ?? "")
        open(item, into: &buffer)
        calls[event.toolIndex] = items.count - 1
    }

    /// An item that is done cannot go on; that a call without arguments has none may be said at any time.
    private mutating func arguments(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) throws {
        if event.text.isEmpty { return }
        guard let place = calls[event.toolIndex], isOpen, place == items.count - 1 else {
            if let place = calls[event.toolIndex], event.text == "{}", items[place].text.isEmpty { return }
            throw BlockOrder.fault(event, isKnown: calls[event.toolIndex] != nil)
        }
        items[place].text += event.text
        detail("response.function_call_arguments.delta", nil, into: &buffer) { $0.field("delta", event.text) }
    }

    private var isNative: Bool { object?.served.dialect == .openaiResponses }

    private mutating func openRaw(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        guard isNative, let object, let item = ResponseItem(raw: event, stem: object.stem, index: items.count) else { return }
        open(item, into: &buffer)
    }

    /// An event of the provider about the open item, under our numbers. The item's own end is written when it is closed.
    private mutating func raw(_ event: ChatAPI.ChatEvent, into buffer: inout ByteBuffer) {
        guard isNative, let json = event.json.flatMap({ try? JSON.parse($0) })?.object else { return }
        if let annotation = json["annotation"] { return annotate(annotation, into: &buffer) }
        guard open?.kind == .raw, let type = json["type"]?.string else { return }
        if let item = json["item"]?.object {
            items[items.count - 1].raw = item
        } else if type.hasPrefix("response.") {
            let own: Set = ["type", "sequence_number", "item_id", "output_index"]
            detail(type, nil, into: &buffer) { writer in
                for (name, value) in json where !own.contains(name) { writer.field(name, value) }
            }
        }
    }

    private mutating func annotate(_ annotation: JSON, into buffer: inout ByteBuffer) {
        enterPart(isRefusal: false, into: &buffer)
        let (last, part) = (items.count - 1, items[items.count - 1].parts.count - 1)
        let index = items[last].parts[part].annotations.count
        items[last].parts[part].annotations.append(annotation)
        detail("response.output_text.annotation.added", ("content_index", part), into: &buffer) {
            $0.field("annotation_index", index)
            $0.field("annotation", annotation)
        }
    }
}
