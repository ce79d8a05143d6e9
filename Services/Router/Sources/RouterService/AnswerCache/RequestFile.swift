import BulkheadAPI
import BulkheadJSON

/// A chat body in OpenAI's form, read as edge reads it, to explain its key.
package enum RequestFile {
    /// Members that have a place in the canonical form, or never reach the router. The two names that also are forwarded
    /// (`max_completion_tokens`, `safety_identifier`) are not among them.
    private static let known: Set<String> = [
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p", "max_tokens", "stop", "seed",
        "n", "presence_penalty", "frequency_penalty", "response_format", "logprobs", "top_logprobs", "reasoning_effort", "user",
        "stream", "stream_options", "bulkhead",
    ]

    /// - Throws: `RequestSketch.Unreadable` for a text that is no such body.
    package static func chat(_ text: String) throws -> ChatAPI.ChatRequest {
        let json: JSON
        do {
            json = try JSON.parse(text)
        } catch {
            throw RequestSketch.Unreadable(description: "not JSON: \(error)")
        }
        if let problem = BodyShape.problem(json) { throw RequestSketch.Unreadable(description: problem) }
        guard let body = json.object, let model = body["model"]?.string, let messages = body["messages"]?.array else {
            throw RequestSketch.Unreadable(description: "no messages in it: it must be a chat body in OpenAI's form")
        }
        var chat = ChatAPI.ChatRequest(model: model, dialect: .openaiChat)
        chat.messages = messages.map(message)
        chat.tools = (body["tools"]?.array ?? []).map { ChatAPI.Tool(rawJson: $0.text()) }
        readSampling(body, into: &chat)
        chat.extraJson = extra(body, besides: known)
        return chat
    }

    private static func readSampling(_ body: JSONObject, into chat: inout ChatAPI.ChatRequest) {
        chat.parallelToolCalls = body["parallel_tool_calls"]?.bool
        chat.temperature = body["temperature"]?.double
        chat.topP = body["top_p"]?.double
        chat.maxTokens = body["max_completion_tokens"]?.int ?? body["max_tokens"]?.int
        chat.stop = body["stop"]?.string.map { [$0] } ?? body["stop"]?.array?.compactMap(\.string) ?? []
        chat.seed = body["seed"]?.int
        chat.choices = body["n"]?.int
        chat.presencePenalty = body["presence_penalty"]?.double
        chat.frequencyPenalty = body["frequency_penalty"]?.double
        chat.responseFormatJson = body["response_format"]?.object.map { JSON.object($0).text() }
        chat.logprobs = body["logprobs"]?.bool
        chat.topLogprobs = body["top_logprobs"]?.int
        chat.reasoningEffort = body["reasoning_effort"]?.string
        chat.endUser = body["safety_identifier"]?.string ?? body["user"]?.string
    }

    private static func message(_ json: JSON) -> ChatAPI.Message {
        let object = json.object ?? JSONObject()
        let roles: [String: ChatAPI.Role] = [
            "system": .system, "developer": .developer, "user": .user, "assistant": .assistant, "tool": .tool,
        ]
        var message = ChatAPI.Message(role: roles[object["role"]?.string ?? ""] ?? .unspecified, name: object["name"]?.string)
        message.extraJson = extra(object, besides: ["role", "content", "name", "tool_calls", "tool_call_id", "refusal"])
        message.parts = content(object["content"])
        if message.role == .tool {
            message.parts = [
                .init(kind: .toolResult, text: message.parts.map(\.text).joined(), id: object["tool_call_id"]?.string)
            ]
        }
        if let refusal = object["refusal"]?.string { message.parts.append(.init(kind: .refusal, text: refusal)) }
        message.parts += (object["tool_calls"]?.array ?? []).map { call in
            let function = call["function"]
            return .init(
                kind: .toolCall, id: call["id"]?.string, name: function?["name"]?.string,
                json: function?["arguments"]?.string ?? "{}")
        }
        return message
    }

    private static func content(_ json: JSON?) -> [ChatAPI.Part] {
        if let text = json?.string { return [.init(kind: .text, text: text)] }
        return (json?.array ?? []).map { part in
            switch part["type"]?.string {
            case "text":
                return .init(
                    kind: .text, text: part["text"]?.string ?? "", extraJson: extra(part.object, besides: ["type", "text"]))
            case "refusal": return .init(kind: .refusal, text: part["refusal"]?.string ?? "")
            case "image_url":
                return .init(
                    kind: .image, url: part["image_url"]?["url"]?.string,
                    extraJson: extraOfImage(part.object ?? [:]))
            default: return .init(kind: .raw, json: part.text())
            }
        }
    }

    /// Members beside the URL stay inside `image_url`.
    private static func extraOfImage(_ part: JSONObject) -> String? {
        var part = part
        let inner = part["image_url"]?.object?.filter { $0.name != "url" } ?? []
        part["image_url"] = inner.isEmpty ? nil : .object(JSONObject(inner.map { ($0.name, $0.value) }))
        return extra(part, besides: ["type"])
    }

    /// A member that is null counts as absent where it is known; what is not known is forwarded as it is.
    private static func extra(_ object: JSONObject?, besides known: Set<String>) -> String? {
        let rest = (object ?? JSONObject()).filter { !known.contains($0.name) }
        return rest.isEmpty ? nil : JSON.object(JSONObject(rest.map { ($0.name, $0.value) })).text()
    }
}
