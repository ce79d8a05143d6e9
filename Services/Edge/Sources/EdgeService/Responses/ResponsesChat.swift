import BulkheadAPI
import BulkheadJSON
import NIOCore

/// OpenAI's Responses, without stored state.
package struct ResponsesChat: ChatDialect {
    /// The dialect.
    package init() {}

    package var errorShape: ErrorShape { .openAI }

    package func decode(_ body: JSON) throws -> ChatCall { try ResponsesRequest.decode(body) }

    package func stream(_ call: ChatCall, requestID: String) -> any ChatStream { ResponsesStream(call, requestID: requestID) }

    package func encode(_ answer: CollectedAnswer, to call: ChatCall, _ facts: AnswerFacts, requestID: String) -> ByteBuffer {
        let object = ResponseObject(call, answer.served, requestID: requestID)
        let choice = answer.choices.first
        var writer = JSONWriter()
        object.write(.ended(choice?.finish), choice.map { Self.items($0, of: object) } ?? [], answer.usage, to: &writer)
        return writer.buffer
    }

    /// Whether a provider of this dialect shows summaries of its reasoning or the reasoning itself: compatible servers of the
    /// older dialect do the latter.
    static func showsSummaries(_ dialect: ChatAPI.Dialect) -> Bool { dialect != .openaiChat }

    private static func items(_ choice: CollectedAnswer.Choice, of object: ResponseObject) -> [ResponseItem] {
        var items: [ResponseItem] = []
        for block in choice.blocks {
            switch block.kind {
            case .text, .refusal:
                if items.last?.kind != .message { items.append(item(.message, object, items.count)) }
                items[items.count - 1].add(part(block))
            case .thinking, .redactedThinking: items.append(reasoning(block, object, items.count))
            case .toolCall:
                var call = item(.call, object, items.count)
                (call.callID, call.name, call.text) = (block.id, block.name, block.text)
                items.append(call)
            case .raw:
                guard object.served.dialect == .openaiResponses, let raw = raw(block) else { continue }
                items.append(ResponseItem(raw: raw, stem: object.stem, index: items.count))
            }
        }
        let place = items.firstIndex { $0.parts.contains { !$0.isRefusal } }
        if let place, let part = items[place].parts.firstIndex(where: { !$0.isRefusal }) {
            let objects = choice.logprobs.compactMap { try? JSON.parse($0) }
            items[place].parts[part].logprobs = objects.flatMap { $0["content"]?.array ?? [] }
        }
        return items
    }

    private static func item(_ kind: ResponseItem.Kind, _ object: ResponseObject, _ index: Int) -> ResponseItem {
        ResponseItem(kind, stem: object.stem, index: index)
    }

    private static func part(_ block: CollectedAnswer.Block) -> ResponseItem.Part {
        ResponseItem.Part(
            isRefusal: block.kind == .refusal, text: block.text, annotations: block.deltas.compactMap { $0["annotation"] })
    }

    private static func reasoning(_ block: CollectedAnswer.Block, _ object: ResponseObject, _ index: Int) -> ResponseItem {
        var item = ResponseItem(.reasoning, stem: object.stem, index: index, id: block.id.isEmpty ? nil : block.id)
        item.text = block.text
        item.isSummary = showsSummaries(object.served.dialect)
        if !block.signature.isEmpty {
            item.signature = SignatureLabel.shown(
                block.signature, of: object.served.dialect, to: .openaiResponses, redacted: block.kind == .redactedThinking)
        }
        return item
    }

    /// The item as its last event left it.
    private static func raw(_ block: CollectedAnswer.Block) -> JSONObject? {
        block.deltas.last { $0["item"]?.object != nil }?["item"]?.object ?? block.json.object
    }
}
