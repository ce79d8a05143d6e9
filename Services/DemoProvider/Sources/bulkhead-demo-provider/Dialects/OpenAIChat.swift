import BulkheadHTTP
import BulkheadJSON
import NIOCore
import NIOHTTP1

/// POST /v1/chat/completions.
enum OpenAIChat: Dialect {
    static let requestIDHeader = "x-request-id"

    static func ask(_ body: JSON) throws(BadRequest) -> Ask {
        var ask = try Ask(model: body["model"])
        guard let messages = body["messages"]?.array, !messages.isEmpty else {
            throw BadRequest(message: "messages must be a list of at least one message", parameter: "messages")
        }
        for message in messages {
            let role = message["role"]?.string
            ask.add(text: message["content"]?.messageText ?? "", isUser: role == "user", isToolResult: role == "tool")
        }
        ask.streams = body["stream"]?.bool ?? false
        ask.includesUsage = body["stream_options"]?["include_usage"]?.bool ?? false
        ask.choices = min(try Ask.positive("n", of: body) ?? 1, Ask.mostChoices)
        let olderLimit = try Ask.positive("max_tokens", of: body)
        ask.maxTokens = try Ask.positive("max_completion_tokens", of: body) ?? olderLimit
        ask.tool = tool(of: body)
        ask.schema = schema(of: body["response_format"])
        return ask
    }

    private static func tool(of body: JSON) -> Ask.Tool? {
        guard body["tool_choice"]?.string != "none" else { return nil }
        let functions = (body["tools"]?.array ?? []).compactMap { $0["function"] }
        let wanted = body["tool_choice"]?["function"]?["name"]?.string
        let function = functions.first { wanted == nil || $0["name"]?.string == wanted }
        return function.flatMap { function in
            function["name"]?.string.map { Ask.Tool(name: $0, parameters: function["parameters"] ?? [:]) }
        }
    }

    private static func schema(of format: JSON?) -> JSON? {
        switch format?["type"]?.string {
        case "json_schema": format?["json_schema"]?["schema"] ?? [:]
        case "json_object": ["type": "object", "properties": ["answer": ["type": "string"]]]
        default: nil
        }
    }

    static func write(_ answers: [Answer], to ask: Ask, _ writer: inout JSONWriter) {
        writer.object { writer in
            writeHead("chat.completion", id: AnswerID.next("chatcmpl-"), ask, &writer)
            writer.array("choices") { writer in
                for (index, answer) in answers.enumerated() {
                    writer.object { writer in
                        writer.field("index", index)
                        writer.object("message") { writeMessage(answer, &$0) }
                        writer.nullField("logprobs")
                        writer.field("finish_reason", finishReason(answer))
                    }
                }
            }
            writeUsage(answers, ask, &writer)
        }
    }

    private static func writeHead(_ kind: String, id: String, _ ask: Ask, _ writer: inout JSONWriter) {
        writer.field("id", id)
        writer.field("object", kind)
        writer.field("created", AnswerID.now)
        writer.field("model", ask.model)
        writer.field("system_fingerprint", "fp_demo")
    }

    private static func writeMessage(_ answer: Answer, _ writer: inout JSONWriter) {
        writer.field("role", "assistant")
        guard let tool = answer.toolName else {
            writer.field("content", answer.text)
            return writer.nullField("refusal")
        }
        writer.nullField("content")
        writer.nullField("refusal")
        writer.array("tool_calls") { writer in
            writer.object { writeCall(tool, arguments: answer.text, &$0) }
        }
    }

    private static func writeCall(_ tool: String, arguments: String, _ writer: inout JSONWriter) {
        writer.field("id", AnswerID.next("call_"))
        writer.field("type", "function")
        writer.object("function") { writer in
            writer.field("name", tool)
            writer.field("arguments", arguments)
        }
    }

    private static func finishReason(_ answer: Answer) -> String {
        answer.toolName != nil ? "tool_calls" : answer.isCutShort ? "length" : "stop"
    }

    private static func writeUsage(_ answers: [Answer], _ ask: Ask, _ writer: inout JSONWriter) {
        let completion = answers.reduce(0) { $0 + $1.tokenCount }
        writer.object("usage") { writer in
            writer.field("prompt_tokens", ask.promptTokens)
            writer.field("completion_tokens", completion)
            writer.field("total_tokens", ask.promptTokens + completion)
            writer.object("prompt_tokens_details") { $0.field("cached_tokens", 0) }
            writer.object("completion_tokens_details") { $0.field("reasoning_tokens", 0) }
        }
    }

    static func writeError(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter) {
        OpenAIError.write(status, error, &writer)
    }
}

extension OpenAIChat {
    static func frames(_ answers: [Answer], to ask: Ask) -> StreamFrames {
        var head = JSONWriter()
        head.beginObject()
        writeHead("chat.completion.chunk", id: AnswerID.next("chatcmpl-"), ask, &head)
        let chunks = Chunks(head: head.buffer, includesUsage: ask.includesUsage)
        var frames = StreamFrames()
        for (index, answer) in answers.enumerated() {
            chunks.write(choice: index, &frames.bytes) { writeFirstDelta(answer, &$0) }
        }
        frames.mark()
        for (index, answer) in answers.enumerated() { writeTokens(of: answer, choice: index, chunks, &frames) }
        for (index, answer) in answers.enumerated() {
            chunks.write(choice: index, finish: finishReason(answer), &frames.bytes) { _ in }
        }
        if ask.includesUsage { chunks.writeUsage(&frames.bytes) { writeUsage(answers, ask, &$0) } }
        SSEWriter.write(data: "[DONE]", into: &frames.bytes)
        frames.failure = { _ in failureEvent(.internalServerError) }
        return frames
    }

    private static func writeFirstDelta(_ answer: Answer, _ delta: inout JSONWriter) {
        delta.field("role", "assistant")
        guard let tool = answer.toolName else { return delta.field("content", "") }
        delta.nullField("content")
        delta.array("tool_calls") { writer in
            writer.object { writer in
                writer.field("index", 0)
                writeCall(tool, arguments: "", &writer)
            }
        }
    }

    private static func writeTokens(of answer: Answer, choice: Int, _ chunks: Chunks, _ frames: inout StreamFrames) {
        let isCall = answer.toolName != nil
        for token in answer.tokens {
            chunks.write(choice: choice, &frames.bytes) { delta in
                if isCall {
                    delta.array("tool_calls") { writer in
                        writer.object { writer in
                            writer.field("index", 0)
                            writer.object("function") { $0.field("arguments", token) }
                        }
                    }
                } else {
                    delta.field("content", token)
                }
            }
            frames.mark()
        }
    }

    /// Writes the chunks of one answer, whose beginnings are all the same.
    private struct Chunks {
        let head: ByteBuffer
        let includesUsage: Bool

        func write(choice: Int, finish: String? = nil, _ buffer: inout ByteBuffer, delta: (inout JSONWriter) -> Void) {
            write(&buffer) { writer in
                writer.array("choices") { writer in
                    writer.object { writer in
                        writer.field("index", choice)
                        writer.object("delta", delta)
                        writer.nullField("logprobs")
                        if let finish { writer.field("finish_reason", finish) } else { writer.nullField("finish_reason") }
                    }
                }
                if includesUsage { writer.nullField("usage") }
            }
        }

        func writeUsage(_ buffer: inout ByteBuffer, usage: (inout JSONWriter) -> Void) {
            write(&buffer) { writer in
                writer.array("choices") { _ in }
                usage(&writer)
            }
        }

        private func write(_ buffer: inout ByteBuffer, members: (inout JSONWriter) -> Void) {
            buffer.writeStaticString("data: ")
            buffer.writeImmutableBuffer(head)
            JSONWriter.append(to: &buffer) { writer in
                writer.continueObject()
                members(&writer)
                writer.endObject()
            }
            buffer.writeStaticString("\n\n")
        }
    }
}
