import BulkheadJSON
import NIOCore
import NIOHTTP1

/// POST /model/{model}/converse and /converse-stream. The path names the model; the provider puts it, and whether to stream,
/// into the body before it comes here.
enum Bedrock: Dialect {
    static let requestIDHeader = "x-amzn-requestid"
    static let streamType = "application/vnd.amazon.eventstream"

    static func ask(_ body: JSON) throws(BadRequest) -> Ask {
        var ask = try Ask(model: body["model"])
        guard let messages = body["messages"]?.array, !messages.isEmpty else {
            throw BadRequest(message: "A conversation must have at least one message.", parameter: "messages")
        }
        for block in body["system"]?.array ?? [] {
            ask.add(text: block["text"]?.string ?? "", isUser: false, isToolResult: false)
        }
        for message in messages { add(message, to: &ask) }
        ask.streams = body["stream"]?.bool ?? false
        ask.maxTokens = try Ask.positive("maxTokens", of: body["inferenceConfig"] ?? [:])
        ask.tool = tool(of: body)
        ask.schema = schema(of: body)
        return ask
    }

    private static func add(_ message: JSON, to ask: inout Ask) {
        let blocks = message["content"]?.array ?? []
        let result = blocks.lazy.compactMap { $0["toolResult"] }.first
        let text = result.map { Self.text(of: $0["content"]?.array ?? []) } ?? Self.text(of: blocks)
        ask.add(text: text, isUser: message["role"]?.string == "user" && result == nil, isToolResult: result != nil)
    }

    private static func text(of blocks: [JSON]) -> String {
        blocks.compactMap { $0["text"]?.string ?? $0["json"]?.text() }.joined(separator: "\n")
    }

    private static func tool(of body: JSON) -> Ask.Tool? {
        let specs = (body["toolConfig"]?["tools"]?.array ?? []).compactMap { $0["toolSpec"] }
        let wanted = body["toolConfig"]?["toolChoice"]?["tool"]?["name"]?.string
        let spec = specs.first { wanted == nil || $0["name"]?.string == wanted }
        return spec.flatMap { spec in
            spec["name"]?.string.map { Ask.Tool(name: $0, parameters: spec["inputSchema"]?["json"] ?? [:]) }
        }
    }

    /// The schema is text inside the JSON.
    private static func schema(of body: JSON) -> JSON? {
        let text = body["outputConfig"]?["textFormat"]?["structure"]?["jsonSchema"]?["schema"]?.string
        return text.flatMap { try? JSON.parse($0) }
    }

    static func write(_ answers: [Answer], to ask: Ask, _ writer: inout JSONWriter) {
        guard let answer = answers.first else { return }
        writer.object { writer in
            writer.object("output") { writer in
                writer.object("message") { writer in
                    writer.field("role", "assistant")
                    writer.array("content") { $0.object { writeBlock(answer, &$0) } }
                }
            }
            writer.field("stopReason", stopReason(answer))
            writeUsage(ask, answer, &writer)
        }
    }

    private static func writeBlock(_ answer: Answer, _ writer: inout JSONWriter) {
        guard let tool = answer.toolName else { return writer.field("text", answer.text) }
        writer.object("toolUse") { writer in
            writer.field("toolUseId", AnswerID.next("tooluse_"))
            writer.field("name", tool)
            writer.name("input")
            writer.raw(answer.text)
        }
    }

    private static func stopReason(_ answer: Answer) -> String {
        answer.toolName != nil ? "tool_use" : answer.isCutShort ? "max_tokens" : "end_turn"
    }

    private static func writeUsage(_ ask: Ask, _ answer: Answer, _ writer: inout JSONWriter) {
        writer.object("usage") { writer in
            writer.field("inputTokens", ask.promptTokens)
            writer.field("outputTokens", answer.tokenCount)
            writer.field("totalTokens", ask.promptTokens + answer.tokenCount)
        }
        writer.object("metrics") { $0.field("latencyMs", 1) }
    }

    static func frames(_ answers: [Answer], to ask: Ask) -> StreamFrames {
        var frames = StreamFrames()
        guard let answer = answers.first else { return frames }
        writeOpening(answer, &frames.bytes)
        frames.mark()
        for token in answer.tokens {
            EventStreamFrame.write(event: "contentBlockDelta", into: &frames.bytes) { writer in
                writer.field("contentBlockIndex", 0)
                writer.object("delta") { writeDelta(token, isCall: answer.toolName != nil, &$0) }
            }
            frames.mark()
        }
        EventStreamFrame.write(event: "contentBlockStop", into: &frames.bytes) { $0.field("contentBlockIndex", 0) }
        EventStreamFrame.write(event: "messageStop", into: &frames.bytes) { $0.field("stopReason", stopReason(answer)) }
        EventStreamFrame.write(event: "metadata", into: &frames.bytes) { writeUsage(ask, answer, &$0) }
        frames.failure = { _ in failureFrame() }
        return frames
    }

    private static func writeOpening(_ answer: Answer, _ buffer: inout ByteBuffer) {
        EventStreamFrame.write(event: "messageStart", into: &buffer) { $0.field("role", "assistant") }
        guard let tool = answer.toolName else { return }
        EventStreamFrame.write(event: "contentBlockStart", into: &buffer) { writer in
            writer.field("contentBlockIndex", 0)
            writer.object("start") { writer in
                writer.object("toolUse") { writer in
                    writer.field("toolUseId", AnswerID.next("tooluse_"))
                    writer.field("name", tool)
                }
            }
        }
    }

    private static func writeDelta(_ token: String, isCall: Bool, _ writer: inout JSONWriter) {
        guard isCall else { return writer.field("text", token) }
        writer.object("toolUse") { $0.field("input", token) }
    }

    private static func failureFrame() -> ByteBuffer {
        var buffer = ByteBuffer()
        EventStreamFrame.write(exception: "serviceUnavailableException", into: &buffer) {
            $0.field("message", "the demo provider fails as told")
        }
        return buffer
    }

    static func writeError(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter) {
        writer.object { $0.field("message", error.message) }
    }

    static func errorHeaders(_ status: HTTPResponseStatus) -> [(name: String, value: String)] {
        [("x-amzn-errortype", exception(status))]
    }

    private static func exception(_ status: HTTPResponseStatus) -> String {
        switch status.code {
        case 401, 403: "AccessDeniedException"
        case 404: "ResourceNotFoundException"
        case 408: "ModelTimeoutException"
        case 424: "ModelErrorException"
        case 429: "ThrottlingException"
        case 503: "ServiceUnavailableException"
        case 500...: "InternalServerException"
        default: "ValidationException"
        }
    }
}
