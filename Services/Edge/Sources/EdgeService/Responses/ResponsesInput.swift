import BulkheadAPI
import BulkheadJSON

/// The items of a Responses request → canonical messages. Items of an assistant that follow one another (reasoning, text, calls)
/// become one message, as the other dialects have it. Ids and states of items are what a store would need: they are left out, but
/// for the id of reasoning, which its provider may look at.
enum ResponsesInput {
    static func decode(_ fields: RequestFields) throws -> [ChatAPI.Message] {
        guard let input = fields.value("input") else { throw fields.missing("input") }
        if let text = input.string {
            return [ChatAPI.Message(role: .user, parts: [ChatAPI.Part(kind: .text, text: text)])]
        }
        guard let items = try? fields.list("input") else { throw fields.wrong("input", "a string or an array of items") }
        if items.isEmpty { throw EdgeError.field("input", "input must have at least one item.") }
        return try items.reduce(into: []) { messages, item in try add(item, to: &messages) }
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
        guard let content = item.value("content") else { throw item.missing("content") }
        if let text = content.string {
            return ChatAPI.Message(role: role, parts: [ChatAPI.Part(kind: .text, text: text)], extraJson: extra)
        }
        guard let parts = try? item.list("content") else { throw item.wrong("content", "a string or an array of content parts") }
        return ChatAPI.Message(role: role, parts: try parts.map(part), extraJson: extra)
    }

    private static func call(_ item: RequestFields) throws -> ChatAPI.Part {
        ChatAPI.Part(
            kind: .toolCall, id: try item.requiredString("call_id"), name: try item.requiredString("name"),
            json: try item.string("arguments") ?? "{}",
            extraJson: item.extra(besides: ["type", "id", "status", "call_id", "name", "arguments"]))
    }

    /// Plain text is joined; parts of other kinds stay as they are.
    private static func result(_ item: RequestFields) throws -> ChatAPI.Part {
        var part = ChatAPI.Part(
            kind: .toolResult, id: try item.requiredString("call_id"),
            extraJson: item.extra(besides: ["type", "id", "status", "call_id", "output"]))
        guard let output = item.value("output") else { throw item.missing("output") }
        if let text = output.string {
            part.text = text
        } else if let blocks = try? item.list("output") {
            let texts = blocks.compactMap { $0.object["type"] == "input_text" ? $0.object["text"]?.string : nil }
            if texts.count == blocks.count { part.text = texts.joined() } else { part.json = output.text() }
        } else {
            throw item.wrong("output", "a string or an array of content parts")
        }
        return part
    }

    private static func reasoning(_ item: RequestFields) throws -> ChatAPI.Part {
        let lists = try [item.list("summary"), item.list("content")].compactMap { $0 }
        let text = try lists.flatMap { $0 }.map { try $0.requiredString("text") }.joined(separator: "\n\n")
        var part = ChatAPI.Part(
            thinking: text, signature: try item.string("encrypted_content"), redacted: text.isEmpty,
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
        case "refusal": return ChatAPI.Part(kind: .refusal, text: try fields.requiredString("refusal"))
        case "input_image":
            guard let url = try fields.string("image_url") else { return OpenAIContent.raw(fields) }
            return ChatAPI.Part(kind: .image, url: url, extraJson: fields.extra(besides: ["type", "image_url", "file_id"]))
        case "input_file":
            if let url = try fields.string("file_url") {
                return ChatAPI.Part(kind: .document, name: try fields.string("filename"), url: url)
            }
            return OpenAIContent.document(try fields.string("file_data"), name: try fields.string("filename"))
                ?? OpenAIContent.raw(fields)
        case "input_audio":
            guard let audio = try fields.fields("input_audio") else { throw fields.missing("input_audio") }
            return try OpenAIContent.sound(audio) ?? OpenAIContent.raw(fields)
        default: return OpenAIContent.raw(fields)
        }
    }
}
