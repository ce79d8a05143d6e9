import BulkheadJSON

/// The response object and its one output item, at its beginning and at its end.
struct ResponseObject {
    enum Stage { case begun, finished }

    let ask: Ask
    let answer: Answer
    let id = AnswerID.next("resp_")
    let itemID: String
    let callID = AnswerID.next("call_")
    private let created = AnswerID.now

    init(ask: Ask, answer: Answer) {
        self.ask = ask
        self.answer = answer
        itemID = AnswerID.next(answer.toolName == nil ? "msg_" : "fc_")
    }

    /// What the last event of a stream is called.
    var finalEvent: String { answer.isCutShort ? "response.incomplete" : "response.completed" }

    private var finalStatus: String { answer.isCutShort ? "incomplete" : "completed" }

    func write(_ stage: Stage, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", id)
            writer.field("object", "response")
            writer.field("created_at", created)
            writer.field("status", stage == .begun ? "in_progress" : finalStatus)
            writer.nullField("error")
            writeIncompleteDetails(stage, &writer)
            writer.nullField("instructions")
            writer.nullField("max_output_tokens")
            writer.field("model", ask.model)
            writer.array("output") { if stage == .finished { writeItem(stage, &$0) } }
            writer.field("parallel_tool_calls", true)
            writer.nullField("previous_response_id")
            writer.field("temperature", 1.0)
            writer.field("tool_choice", "auto")
            writer.array("tools") { _ in }
            writer.field("top_p", 1.0)
            writeUsage(stage, &writer)
            writer.object("metadata") { _ in }
        }
    }

    private func writeIncompleteDetails(_ stage: Stage, _ writer: inout JSONWriter) {
        guard stage == .finished, answer.isCutShort else { return writer.nullField("incomplete_details") }
        writer.object("incomplete_details") { $0.field("reason", "max_output_tokens") }
    }

    private func writeUsage(_ stage: Stage, _ writer: inout JSONWriter) {
        guard stage == .finished else { return writer.nullField("usage") }
        writer.object("usage") { writer in
            writer.field("input_tokens", ask.promptTokens)
            writer.object("input_tokens_details") { $0.field("cached_tokens", 0) }
            writer.field("output_tokens", answer.tokenCount)
            writer.object("output_tokens_details") { $0.field("reasoning_tokens", 0) }
            writer.field("total_tokens", ask.promptTokens + answer.tokenCount)
        }
    }

    func writeItem(_ stage: Stage, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", itemID)
            writer.field("type", answer.toolName == nil ? "message" : "function_call")
            writer.field("status", stage == .begun ? "in_progress" : finalStatus)
            if let tool = answer.toolName {
                writer.field("call_id", callID)
                writer.field("name", tool)
                writer.field("arguments", stage == .begun ? "" : answer.text)
            } else {
                writer.field("role", "assistant")
                writer.array("content") { if stage == .finished { writePart(stage, &$0) } }
            }
        }
    }

    func writePart(_ stage: Stage, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("type", "output_text")
            writer.field("text", stage == .begun ? "" : answer.text)
            writer.array("annotations") { _ in }
            writer.array("logprobs") { _ in }
        }
    }
}
