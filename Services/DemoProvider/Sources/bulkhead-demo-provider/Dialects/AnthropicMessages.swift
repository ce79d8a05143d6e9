import BulkheadHTTP
import BulkheadJSON
import NIOCore
import NIOHTTP1

/// POST /v1/messages and /v1/messages/count_tokens.
enum AnthropicMessages: Dialect {
    static let requestIDHeader = "request-id"

    static func ask(_ body: JSON) throws(BadRequest) -> Ask {
        var ask = try countedAsk(body)
        guard let limit = try Ask.positive("max_tokens", of: body) else {
            throw BadRequest(message: "max_tokens: Field required", parameter: "max_tokens")
        }
        ask.maxTokens = limit
        ask.streams = body["stream"]?.bool ?? false
        ask.tool = tool(of: body)
        ask.schema = (body["output_config"]?["format"] ?? body["output_format"])?["schema"]
        return ask
    }

    /// What count_tokens needs: the same without max_tokens.
    static func countedAsk(_ body: JSON) throws(BadRequest) -> Ask {
        var ask = try Ask(model: body["model"])
        guard let messages = body["messages"]?.array, !messages.isEmpty else {
            throw BadRequest(message: "messages: at least one message is required", parameter: "messages")
        }
        if let system = body["system"] { ask.add(text: system.messageText, isUser: false, isToolResult: false) }
        for message in messages {
            let isResult = message["content"]?.hasPart("tool_result") ?? false
            let isUser = message["role"]?.string == "user" && !isResult
            ask.add(text: message["content"]?.messageText ?? "", isUser: isUser, isToolResult: isResult)
        }
        return ask
    }

    private static func tool(of body: JSON) -> Ask.Tool? {
        guard body["tool_choice"]?["type"]?.string != "none" else { return nil }
        let wanted = body["tool_choice"]?["name"]?.string
        let tool = body["tools"]?.array?.first { wanted == nil || $0["name"]?.string == wanted }
        return tool.flatMap { tool in
            tool["name"]?.string.map { Ask.Tool(name: $0, parameters: tool["input_schema"] ?? [:]) }
        }
    }

    static func write(_ answers: [Answer], to ask: Ask, _ writer: inout JSONWriter) {
        guard let answer = answers.first else { return }
        writer.object { writer in
            writeHead(ask, &writer)
            writer.array("content") { $0.object { writeBlock(answer, isComplete: true, &$0) } }
            writer.field("stop_reason", stopReason(answer))
            writer.nullField("stop_sequence")
            writer.object("usage") { writeUsage(ask, output: answer.tokenCount, &$0) }
        }
    }

    private static func writeHead(_ ask: Ask, _ writer: inout JSONWriter) {
        writer.field("id", AnswerID.next("msg_"))
        writer.field("type", "message")
        writer.field("role", "assistant")
        writer.field("model", ask.model)
    }

    private static func writeBlock(_ answer: Answer, isComplete: Bool, _ writer: inout JSONWriter) {
        guard let tool = answer.toolName else {
            writer.field("type", "text")
            return writer.field("text", isComplete ? answer.text : "")
        }
        writer.field("type", "tool_use")
        writer.field("id", AnswerID.next("toolu_"))
        writer.field("name", tool)
        writer.name("input")
        writer.raw(isComplete ? answer.text : "{}")
    }

    private static func stopReason(_ answer: Answer) -> String {
        answer.toolName != nil ? "tool_use" : answer.isCutShort ? "max_tokens" : "end_turn"
    }

    private static func writeUsage(_ ask: Ask, output: Int, _ writer: inout JSONWriter) {
        writer.field("input_tokens", ask.promptTokens)
        writer.field("cache_creation_input_tokens", 0)
        writer.field("cache_read_input_tokens", 0)
        writer.field("output_tokens", output)
    }

    static func writeError(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", "error")
            writer.object("error") { writer in
                writer.field("type", errorType(status))
                writer.field("message", error.message)
            }
            writer.field("request_id", AnswerID.next("req_"))
        }
    }

    private static func errorType(_ status: HTTPResponseStatus) -> String {
        switch status.code {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 504: "timeout_error"
        case 529: "overloaded_error"
        case 500...: "api_error"
        default: "invalid_request_error"
        }
    }
}

extension AnthropicMessages {
    static func frames(_ answers: [Answer], to ask: Ask) -> StreamFrames {
        var frames = StreamFrames()
        guard let answer = answers.first else { return frames }
        writeOpening(answer, ask, &frames.bytes)
        frames.mark()
        for token in answer.tokens {
            writeDelta(token, isCall: answer.toolName != nil, &frames.bytes)
            frames.mark()
        }
        writeClosing(answer, &frames.bytes)
        frames.failure = { _ in failureEvent(.init(statusCode: 529), name: "error") }
        return frames
    }

    private static func event(_ name: String, _ buffer: inout ByteBuffer, _ members: (inout JSONWriter) -> Void) {
        SSEWriter.write(name: name, into: &buffer) { writer in
            writer.object { writer in
                writer.field("type", name)
                members(&writer)
            }
        }
    }

    private static func writeOpening(_ answer: Answer, _ ask: Ask, _ buffer: inout ByteBuffer) {
        event("message_start", &buffer) { writer in
            writer.object("message") { writer in
                writeHead(ask, &writer)
                writer.array("content") { _ in }
                writer.nullField("stop_reason")
                writer.nullField("stop_sequence")
                writer.object("usage") { writeUsage(ask, output: 1, &$0) }
            }
        }
        event("content_block_start", &buffer) { writer in
            writer.field("index", 0)
            writer.object("content_block") { writeBlock(answer, isComplete: false, &$0) }
        }
        event("ping", &buffer) { _ in }
    }

    private static func writeDelta(_ token: String, isCall: Bool, _ buffer: inout ByteBuffer) {
        event("content_block_delta", &buffer) { writer in
            writer.field("index", 0)
            writer.object("delta") { writer in
                writer.field("type", isCall ? "input_json_delta" : "text_delta")
                writer.field(isCall ? "partial_json" : "text", token)
            }
        }
    }

    private static func writeClosing(_ answer: Answer, _ buffer: inout ByteBuffer) {
        event("content_block_stop", &buffer) { $0.field("index", 0) }
        event("message_delta", &buffer) { writer in
            writer.object("delta") { writer in
                writer.field("stop_reason", stopReason(answer))
                writer.nullField("stop_sequence")
            }
            writer.object("usage") { $0.field("output_tokens", answer.tokenCount) }
        }
        event("message_stop", &buffer) { _ in }
    }
}
