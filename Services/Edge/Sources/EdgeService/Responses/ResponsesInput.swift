import BulkheadAPI
import BulkheadJSON

/// The items of a Responses request → canonical messages. Items of an assistant that follow one another (reasoning, text, calls)
/// become one message, as the other dialects have it. Ids and states of items are what a store would need: they are left out, but
/// for the id of reasoning, which its provider may look at.
enum ResponsesInput {
    static func decode(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        let input = try fields.textOrList("input", "a string or an array of items")
        if let text = input.text {
            return [ChatAPI.Message(role: .user, parts: [ChatAPI.Part(kind: .text, text: text)])]
        }
        if input.list.isEmpty { throw fields.wrong("input", "a text, or at least one item") }
        return try input.list.reduce(into: []) { messages, item in try add(item, to: &messages) }
    }

    private static func add(_ item: RequestFields, to messages: inout [ChatAPI.Message]) throws {
        switch try item.string("type") ?? (item.value("role") == nil ? item.requiredString("type") : "message") {
        case "message": append(try message(item), to: &messages)
        case "function_call": append(.assistant, try call(item), to: &messages)
        case "function_call_output": append(.tool, try result(item), to: &messages)
        case "reasoning": append(.assistant, try reasoning(item), to: &messages)
        case "item_reference": throw ResponsesRequest.unsupported(item, "id")
        case let type: append(type.hasSuffix("_output") ? .tool : .assistant, OpenAIContent.raw(item), to: &messages)
        }
    }

    private static func append(_ role: ChatAPI.Role, _ part: ChatAPI.Part, to messages: inout [ChatAPI.Message]) {
        append(ChatAPI.Message(role: role, parts: [part]), to: &messages)
    }

    /// A text after calls begins another message: chats have text before calls only.
    private static func append(_ message: ChatAPI.Message, to messages: inout [ChatAPI.Message]) {
        if message.role == .assistant, message.extraJson == nil, let last = messages.last, last.role == .assistant,
            last.extraJson == nil,
            !(last.parts.contains { $0.kind == .toolCall } && message.parts.contains { $0.kind == .text })
        {
            messages[messages.count - 1].parts += message.parts
        } else {
            messages.append(message)
        }
    }

    private static func message(_ item: RequestFields) throws -> ChatAPI.Message {
        let role: ChatAPI.Role =
            switch try item.requiredString("role") {
            case "user": .user
            case "assistant": .assistant
            case "system": .system
            case "developer": .developer
            default: throw item.wrong("role", "one of: user, assistant, system, developer")
            }
        let extra = item.extra(besides: ["type", "role", "content", "id", "status"])
        let content = try item.textOrList("content", "a string or an array of content parts")
        if let text = content.text {
            return ChatAPI.Message(role: role, parts: [ChatAPI.Part(kind: .text, text: text)], extraJson: extra)
        }
        return ChatAPI.Message(role: role, parts: try content.list.map(part), extraJson: extra)
    }

    private static func call(_ item: RequestFields) throws -> ChatAPI.Part {
        ChatAPI.Part(
            kind: .toolCall, id: try item.requiredString("call_id"), name: try item.requiredString("name"),
            json: try item.string("arguments") ?? "{}",
            extraJson: item.extra(besides: ["type", "id", "status", "call_id", "name", "arguments"]))
    }

    /// Plain text is joined; parts of other kinds, or with members of their own, stay as they are.
    private static func result(_ item: RequestFields) throws -> ChatAPI.Part {
        var part = ChatAPI.Part(
            kind: .toolResult, id: try item.requiredString("call_id"),
            extraJson: item.extra(besides: ["type", "id", "status", "call_id", "output"]))
        let output = try item.textOrList("output", "a string or an array of content parts")
        let texts = output.text.map { [$0] } ?? output.list.compactMap(plainText)
        if output.text != nil || texts.count == output.list.count {
            part.text = texts.joined()
        } else {
            part.json = item.value("output")?.text()
        }
        return part
    }

    private static func plainText(_ block: RequestFields) -> String? {
        block.object.count == 2 && block.object["type"] == "input_text" ? block.object["text"]?.string : nil
    }

    /// Raw where its texts have members of their own.
    private static func reasoning(_ item: RequestFields) throws -> ChatAPI.Part {
        let thoughts = try [item.list("summary"), item.list("content")].compactMap { $0 }.flatMap { $0 }
        let text = try thoughts.map { try $0.requiredString("text") }.joined(separator: "\n\n")
        if thoughts.contains(where: { $0.extra(besides: ["type", "text"]) != nil }) { return OpenAIContent.raw(item) }
        var part = ChatAPI.Part(
            thinking: text, signature: try item.string("encrypted_content"),
            extraJson: item.extra(besides: ["type", "id", "status", "summary", "content", "encrypted_content"]))
        part.id = try item.string("id")
        return part
    }

    private static func part(_ fields: RequestFields) throws -> ChatAPI.Part {
        switch try fields.requiredString("type") {
        case "input_text", "output_text", "text":
            let empty = ["annotations", "logprobs"].filter { fields.value($0)?.array?.isEmpty ?? true }
            return ChatAPI.Part(
                kind: .text, text: try fields.requiredString("text"),
                extraJson: fields.extra(besides: Set(["type", "text"] + empty)))
        case "refusal":
            return ChatAPI.Part(
                kind: .refusal, text: try fields.requiredString("refusal"), extraJson: fields.extra(besides: ["type", "refusal"]))
        case "input_image":
            guard let url = try fields.string("image_url") else { return OpenAIContent.raw(fields) }
            return ChatAPI.Part(kind: .image, url: url, extraJson: fields.extra(besides: ["type", "image_url"]))
        case "input_file": return try file(fields)
        case "input_audio": return try OpenAIContent.sound(fields)
        default: return OpenAIContent.raw(fields)
        }
    }

    private static func file(_ fields: RequestFields) throws -> ChatAPI.Part {
        let name = try fields.string("filename")
        if let url = try fields.string("file_url") {
            return ChatAPI.Part(
                kind: .document, name: name, url: url, extraJson: fields.extra(besides: ["type", "file_url", "filename"]))
        }
        let extra = fields.extra(besides: ["type", "file_data", "filename"])
        return OpenAIContent.document(try fields.string("file_data"), name: name, extra) ?? OpenAIContent.raw(fields)
    }
}
