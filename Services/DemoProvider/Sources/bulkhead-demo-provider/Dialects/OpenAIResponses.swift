import BulkheadJSON
import NIOCore
import NIOHTTP1

/// POST /v1/responses. Nothing is stored: `previous_response_id` is accepted and means nothing.
enum OpenAIResponses: Dialect {
    static let requestIDHeader = "x-request-id"

    static func ask(_ body: JSON) throws(BadRequest) -> Ask {
        var ask = try Ask(model: body["model"])
        if let instructions = body["instructions"]?.string { ask.add(text: instructions, isUser: false, isToolResult: false) }
        try add(input: body["input"], to: &ask)
        ask.streams = body["stream"]?.bool ?? false
        ask.maxTokens = try Ask.positive("max_output_tokens", of: body)
        ask.tool = tool(of: body)
        ask.schema = schema(of: body["text"]?["format"])
        return ask
    }

    private static func add(input: JSON?, to ask: inout Ask) throws(BadRequest) {
        if let text = input?.string { return ask.add(text: text, isUser: true, isToolResult: false) }
        guard let items = input?.array, !items.isEmpty else {
            throw BadRequest(message: "input must be a text or a list of at least one item", parameter: "input")
        }
        for item in items {
            let isResult = item["type"]?.string == "function_call_output"
            let text = (isResult ? item["output"] : item["content"])?.messageText ?? ""
            ask.add(text: text, isUser: item["role"]?.string == "user", isToolResult: isResult)
        }
    }

    private static func tool(of body: JSON) -> Ask.Tool? {
        guard body["tool_choice"]?.string != "none" else { return nil }
        let functions = (body["tools"]?.array ?? []).filter { $0["type"]?.string == "function" }
        let wanted = body["tool_choice"]?["name"]?.string
        let function = functions.first { wanted == nil || $0["name"]?.string == wanted }
        return function.flatMap { function in
            function["name"]?.string.map { Ask.Tool(name: $0, parameters: function["parameters"] ?? [:]) }
        }
    }

    private static func schema(of format: JSON?) -> JSON? {
        switch format?["type"]?.string {
        case "json_schema": format?["schema"] ?? [:]
        case "json_object": ["type": "object", "properties": ["answer": ["type": "string"]]]
        default: nil
        }
    }

    static func write(_ answers: [Answer], to ask: Ask, _ writer: inout JSONWriter) {
        guard let answer = answers.first else { return }
        ResponseObject(ask: ask, answer: answer).write(.finished, &writer)
    }

    static func frames(_ answers: [Answer], to ask: Ask) -> StreamFrames {
        guard let answer = answers.first else { return StreamFrames() }
        var events = ResponseEvents(ResponseObject(ask: ask, answer: answer))
        return events.frames()
    }

    static func writeError(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter) {
        OpenAIError.write(status, error, &writer)
    }
}
