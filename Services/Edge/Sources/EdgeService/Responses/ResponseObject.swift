import BulkheadAPI
import BulkheadJSON

/// The object `response`: as it begins, and as it ends.
struct ResponseObject {
    enum Outcome {
        case running
        case ended(ChatAPI.ChatEvent?)
        case failed(EdgeError)
    }

    /// What the answer repeats of the request.
    private let repeated: JSONObject
    private let requestID: String
    /// Who serves.
    let served: ChatAPI.Served

    init(_ call: ChatCall, _ served: ChatAPI.Served, requestID: String) {
        repeated = call.repeated
        self.served = served
        self.requestID = requestID
    }

    /// The answer's id: the provider's, else one made from the request's.
    var id: String {
        if served.responseID.hasPrefix("resp_") { return served.responseID }
        return "resp_\(served.responseID.isEmpty ? requestID : served.responseID)"
    }

    /// What the ids of its items have in common.
    var stem: String { String(id.dropFirst("resp_".count)) }

    /// The word for how it ended, in `status` and in the last event's name.
    static func status(_ outcome: Outcome) -> String {
        switch outcome {
        case .running: "in_progress"
        case .failed: "failed"
        case .ended(let finish): incompleteReason(finish) == nil ? "completed" : "incomplete"
        }
    }

    private static func incompleteReason(_ finish: ChatAPI.ChatEvent?) -> String? {
        switch finish?.finish {
        case .length: "max_output_tokens"
        case .contentFilter: "content_filter"
        default: nil
        }
    }

    func write(_ outcome: Outcome, _ items: [ResponseItem], _ usage: ChatAPI.Usage?, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", id)
            writer.field("object", "response")
            writer.field("created_at", OpenAIChat.created(served))
            writer.field("status", Self.status(outcome))
            writer.field("background", false)
            writeEnd(outcome, to: &writer)
            writer.field("model", served.model)
            writer.array("output") { list in
                let last: ResponseItem.State = Self.status(outcome) == "completed" ? .completed : .incomplete
                for (index, item) in items.enumerated() { item.write(index == items.count - 1 ? last : .completed, to: &list) }
            }
            writer.nullField("previous_response_id")
            writer.field("store", false)
            writeRepeated(to: &writer)
            writer.name("usage")
            if let usage { Self.write(usage, to: &writer) } else { writer.null() }
        }
    }

    private func writeEnd(_ outcome: Outcome, to writer: inout JSONWriter) {
        var (failure, finish) = (EdgeError?.none, ChatAPI.ChatEvent?.none)
        switch outcome {
        case .running: break
        case .failed(let error): failure = error
        case .ended(let event): finish = event
        }
        if let failure {
            writer.object("error") {
                $0.field("code", failure.code)
                $0.field("message", failure.message)
            }
        } else {
            writer.nullField("error")
        }
        if let reason = Self.incompleteReason(finish) {
            writer.object("incomplete_details") { $0.field("reason", reason) }
        } else {
            writer.nullField("incomplete_details")
        }
    }

    /// What the request left out has OpenAI's defaults.
    private static let defaults: [(name: String, value: JSON)] = [
        ("instructions", nil), ("max_output_tokens", nil), ("max_tool_calls", nil), ("metadata", [:]),
        ("parallel_tool_calls", true), ("prompt_cache_key", nil), ("reasoning", ["effort": nil, "summary": nil]),
        ("safety_identifier", nil), ("temperature", 1.0), ("text", ["format": ["type": "text"]]), ("tool_choice", "auto"),
        ("tools", []), ("top_logprobs", 0), ("top_p", 1.0), ("truncation", "disabled"), ("user", nil),
    ]

    private func writeRepeated(to writer: inout JSONWriter) {
        for (name, standard) in Self.defaults {
            let told = repeated[name].flatMap { $0.isNull ? nil : $0 } ?? standard
            if name == "text", var text = told.object, text["format"] == nil {
                text["format"] = ["type": "text"]
                writer.field(name, .object(text))
            } else {
                writer.field(name, told)
            }
        }
        writer.field("service_tier", served.serviceTier.map { .string($0) } ?? repeated["service_tier"] ?? "default")
    }

    private static func write(_ usage: ChatAPI.Usage, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("input_tokens", usage.inputTokens)
            writer.object("input_tokens_details") {
                $0.field("cached_tokens", usage.cachedInputTokens)
                $0.field("cache_write_tokens", usage.cacheCreationInputTokens)
            }
            writer.field("output_tokens", usage.outputTokens)
            writer.object("output_tokens_details") { $0.field("reasoning_tokens", usage.reasoningTokens) }
            writer.field("total_tokens", usage.inputTokens + usage.outputTokens)
        }
    }
}
