import BulkheadAPI
import BulkheadJSON
import NIOCore

/// Answers of `POST /v1/responses`: a stream of typed events, or one document.
///
/// response.created → output items (added, deltas, done) → response.completed or response.incomplete, which completes the
/// answer and ends it. response.failed and error are errors. What an item's deltas did not bring, its `done` does; items that
/// were never announced are taken from the last event.
package struct ResponsesDecoder: EventDecoder {
    package private(set) var meta = AnswerMeta()
    package private(set) var isComplete = false
    package var isOver: Bool { isComplete }
    private var items: [Int: ResponsesItem] = [:]
    private var calls = ToolCalls()
    /// The item that was begun last.
    private var last = -1

    package init() {}

    package mutating func take(_ event: WireEvent, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if event.data.readableBytesView.starts(with: "[DONE]".utf8) { return }
        try JSONView.read(event.data) { (document) throws(DecodeFault) in try take(document, into: &events) }
    }

    private mutating func take(_ document: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        guard let type = document["type"]?.spelling else {
            try refuseError(document)
            throw .malformed("sent an event without a type")
        }
        switch type {
        case "response.created": note(document["response"])
        case "response.in_progress", "response.queued":
            note(document["response"])
            events.keepalive()
        case "response.completed", "response.incomplete", "response.done": try end(document["response"], into: &events)
        case "response.failed", "response.cancelled", "error":
            note(document["response"])
            throw .provider(ProviderError(inStream: document.json))
        case "response.output_item.added": try add(document, into: &events)
        case "response.output_item.done":
            let index = try index(document)
            let isKnown = items[index]?.isDone == false
            try finish(document["item"], at: index, into: &events)
            if isKnown, items[index]?.kind == .raw, index == last { events.raw(.rawDelta, document.json) }
        default: try extend(type, document, into: &events)
        }
    }

    package mutating func takeWhole(_ answer: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        try refuseError(answer)
        guard answer["output"]?.isArray == true else { throw .malformed("answered 200 without an answer") }
        try end(answer, into: &events)
    }

    private func index(_ document: JSONView) throws(DecodeFault) -> Int {
        try DecodeBounds.index(document["output_index"], below: DecodeBounds.blocks, of: "an output item")
    }

    private mutating func note(_ response: JSONView?) {
        guard let response else { return }
        if meta.id.isEmpty { meta.id = response["id"]?.string ?? "" }
        if meta.created == 0 { meta.created = DecodeBounds.count(response["created_at"]) ?? 0 }
        if let tier = response["service_tier"]?.string { meta.serviceTier = tier }
        if let usage = ResponsesUsage.decode(response["usage"]) { meta.usage = usage }
    }
}

extension ResponsesDecoder {
    private mutating func add(_ document: JSONView, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        let index = try index(document)
        guard items[index] == nil else { throw .malformed("began an output item twice") }
        let item = document["item"]
        items[index] = ResponsesItem(item?["type"]?.spelling)
        try begin(item, at: index, into: &events)
    }

    /// An item the canonical form does not model is a block; what is said of it while it is the last one follows as deltas.
    private mutating func begin(_ item: JSONView?, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        last = index
        if items[index]?.kind == .raw { events.raw(.rawBlock, item?.json ?? .null) }
        guard items[index]?.kind == .call else { return events.keepalive() }
        let id = item?["call_id"]?.string ?? item?["id"]?.string ?? "call_\(ToolSyntax.hex(.random(in: 0 ... .max)))"
        try calls.begin(index, id: id, name: item?["name"]?.string ?? "", into: &events)
    }

    /// Events about the inside of an item.
    private mutating func extend(
        _ type: JSONSpelling, _ document: JSONView, into events: inout [ChatAPI.ChatEvent]
    ) throws(DecodeFault) {
        guard document["output_index"] != nil else { return events.keepalive() }
        let index = try index(document)
        guard var item = items[index], !item.isDone else {
            if type.string.hasSuffix(".delta") { throw .malformed("sent a delta of an output item that is not open") }
            return events.keepalive()
        }
        switch (item.kind, type) {
        case (.call, "response.function_call_arguments.delta"):
            try calls.extend(index, document["delta"]?.string ?? "", into: &events)
        case (.message, "response.output_text.annotation.added"):
            events.raw(.rawDelta, document.json)
        case (.raw, _) where index == last:
            events.raw(.rawDelta, document.json)
        default:
            let count = events.count
            item.extend(type, document, into: &events)
            items[index] = item
            if events.count == count { events.keepalive() }
        }
    }

    private mutating func finish(_ json: JSONView?, at index: Int, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        if items[index]?.isDone == true { return }
        if items[index] == nil {
            guard items.count < DecodeBounds.blocks else { throw .malformed("sent more than \(DecodeBounds.blocks) items") }
            items[index] = ResponsesItem(json?["type"]?.spelling)
            try begin(json, at: index, into: &events)
        }
        guard var item = items[index] else { return }
        if item.kind == .call {
            if !calls.hasArguments(index) { try calls.extend(index, json?["arguments"]?.string ?? "", into: &events) }
            calls.end(index, into: &events)
        }
        item.finish(json, into: &events)
        items[index] = item
    }

    private mutating func end(_ response: JSONView?, into events: inout [ChatAPI.ChatEvent]) throws(DecodeFault) {
        note(response)
        if let response, let error = response["error"], !error.isNull { throw .provider(ProviderError(inStream: response.json)) }
        for (index, item) in (response?["output"]).elements.enumerated() where index < DecodeBounds.blocks {
            try finish(item, at: index, into: &events)
        }
        let (finish, word) = try reason(response)
        calls.endAll(into: &events)
        isComplete = true
        events.append(.init(kind: .finish, finish: finish, rawFinish: word))
    }

    private func reason(_ response: JSONView?) throws(DecodeFault) -> (ChatAPI.FinishReason, String) {
        switch response?["status"]?.spelling {
        case "completed": return (calls.isEmpty ? .stop : .toolCalls, "completed")
        case "incomplete":
            let word = response?["incomplete_details"]?["reason"]?.string ?? "incomplete"
            return (word == "content_filter" ? .contentFilter : .length, word)
        case "failed", "cancelled": throw .provider(ProviderError(inStream: response?.json ?? .null))
        default: throw .malformed("ended its answer without a status")
        }
    }
}
