import BulkheadHTTP
import BulkheadJSON
import NIOCore
import NIOHTTP1

/// POST /v1beta/models/{model}:generateContent and :streamGenerateContent?alt=sse. The path names the model; the provider
/// puts it, and whether to stream, into the body before it comes here.
enum Gemini: Dialect {
    static let requestIDHeader = "x-request-id"

    static func ask(_ body: JSON) throws(BadRequest) -> Ask {
        var ask = try Ask(model: body["model"])
        guard let contents = body["contents"]?.array, !contents.isEmpty else {
            throw BadRequest(message: "contents is not specified", parameter: "contents")
        }
        if let system = body["systemInstruction"] ?? body["system_instruction"] {
            ask.add(text: system["parts"]?.messageText ?? "", isUser: false, isToolResult: false)
        }
        for content in contents { add(content, to: &ask) }
        let config = body["generationConfig"] ?? [:]
        ask.streams = body["stream"]?.bool ?? false
        ask.maxTokens = try Ask.positive("maxOutputTokens", of: config)
        ask.choices = min(try Ask.positive("candidateCount", of: config) ?? 1, Ask.mostChoices)
        ask.schema = config["responseSchema"] ?? config["responseJsonSchema"]
        ask.tool = tool(of: body)
        return ask
    }

    private static func add(_ content: JSON, to ask: inout Ask) {
        let result = content["parts"]?.array?.lazy.compactMap { $0["functionResponse"] }.first
        let text = result.map { ($0["response"] ?? [:]).text() } ?? content["parts"]?.messageText ?? ""
        ask.add(text: text, isUser: content["role"]?.string != "model" && result == nil, isToolResult: result != nil)
    }

    private static func tool(of body: JSON) -> Ask.Tool? {
        let config = body["toolConfig"]?["functionCallingConfig"]
        guard config?["mode"]?.string != "NONE" else { return nil }
        let functions = (body["tools"]?.array ?? []).flatMap { $0["functionDeclarations"]?.array ?? [] }
        let wanted = config?["allowedFunctionNames"]?[0]?.string
        let function = functions.first { wanted == nil || $0["name"]?.string == wanted }
        return function.flatMap { function in
            let parameters = function["parameters"] ?? function["parametersJsonSchema"] ?? [:]
            return function["name"]?.string.map { Ask.Tool(name: $0, parameters: parameters) }
        }
    }

    static func write(_ answers: [Answer], to ask: Ask, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.array("candidates") { writer in
                for (index, answer) in answers.enumerated() {
                    let text = answer.toolName == nil ? answer.text : nil
                    writer.object { writeCandidate(answer, index: index, text: text, isLast: true, &$0) }
                }
            }
            writeTail(ask, output: answers.reduce(0) { $0 + $1.tokenCount }, id: AnswerID.next("resp-"), &writer)
        }
    }

    /// - Parameter text: a piece of text, or nil for the tool call.
    private static func writeCandidate(_ answer: Answer, index: Int, text: String?, isLast: Bool, _ writer: inout JSONWriter) {
        writer.object("content") { writer in
            writer.array("parts") { writer in
                writer.object { writer in
                    if let text { writer.field("text", text) } else { writeCall(answer, &writer) }
                }
            }
            writer.field("role", "model")
        }
        if isLast { writer.field("finishReason", answer.isCutShort ? "MAX_TOKENS" : "STOP") }
        writer.field("index", index)
    }

    private static func writeCall(_ answer: Answer, _ writer: inout JSONWriter) {
        writer.object("functionCall") { writer in
            writer.field("name", answer.toolName ?? "")
            writer.name("args")
            writer.raw(answer.text)
        }
    }

    private static func writeTail(_ ask: Ask, output: Int, id: String, _ writer: inout JSONWriter) {
        writer.object("usageMetadata") { writer in
            writer.field("promptTokenCount", ask.promptTokens)
            writer.field("candidatesTokenCount", output)
            writer.field("totalTokenCount", ask.promptTokens + output)
        }
        writer.field("modelVersion", ask.model)
        writer.field("responseId", id)
    }

    static func frames(_ answers: [Answer], to ask: Ask) -> StreamFrames {
        var frames = StreamFrames()
        frames.mark()
        let id = AnswerID.next("resp-")
        var output = 0
        for (index, answer) in answers.enumerated() {
            // A call comes whole, text token by token; the last piece says why it ends.
            let pieces: [String?] = answer.toolName == nil ? answer.tokens : [nil]
            for (place, piece) in pieces.enumerated() {
                output += piece == nil ? answer.tokenCount : 1
                SSEWriter.write(into: &frames.bytes) { writer in
                    writer.object { writer in
                        writer.array("candidates") { writer in
                            let isLast = place == pieces.count - 1
                            writer.object { writeCandidate(answer, index: index, text: piece, isLast: isLast, &$0) }
                        }
                        writeTail(ask, output: output, id: id, &writer)
                    }
                }
                frames.mark()
            }
        }
        frames.failure = { _ in failureEvent(.serviceUnavailable) }
        return frames
    }

    static func writeError(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.object("error") { writer in
                writer.field("code", Int(status.code))
                writer.field("message", error.message)
                writer.field("status", statusName(status))
            }
        }
    }

    private static func statusName(_ status: HTTPResponseStatus) -> String {
        switch status.code {
        case 401: "UNAUTHENTICATED"
        case 403: "PERMISSION_DENIED"
        case 404: "NOT_FOUND"
        case 429: "RESOURCE_EXHAUSTED"
        case 503: "UNAVAILABLE"
        case 504: "DEADLINE_EXCEEDED"
        case 500...: "INTERNAL"
        default: "INVALID_ARGUMENT"
        }
    }
}
