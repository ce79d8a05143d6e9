import BulkheadAPI
import BulkheadJSON

/// A canonical request made ready for translation: what the client's dialect says in members of its own is understood once,
/// for all provider dialects.
package struct ChatIntent {
    package let chat: ChatAPI.ChatRequest
    /// `extra_json`, in the client's dialect. Members that are null are as good as absent.
    package let extra: JSONObject
    package let format: OutputFormat
    package let reasoning: ReasoningWish
    /// The most tokens of the answer, reasoning included.
    package let limit: Int?

    /// - Throws: `CallError` INVALID_ARGUMENT for JSON inside the request that is none.
    package init(_ chat: ChatAPI.ChatRequest) throws {
        self.chat = chat
        let members = try chat.extraJson.flatMap { $0.isEmpty ? nil : try NotExpressible.parse($0, what: "the request").object }
        extra = JSONObject((members ?? [:]).lazy.filter { !$0.value.isNull }.map { ($0.name, $0.value) })
        format = try OutputFormat(chat, extra)
        reasoning = ReasoningWish(chat, extra)
        limit = chat.maxTokens ?? extra["max_completion_tokens"]?.int ?? extra["max_output_tokens"]?.int
    }

    package func isNative(_ dialect: ChatAPI.Dialect) -> Bool { chat.dialect == dialect }

    /// The dialect that can read a part's signature.
    package func origin(_ part: ChatAPI.Part) -> ChatAPI.Dialect { part.origin == .unspecified ? chat.dialect : part.origin }

    /// The system prompt and the turns. Dialects with one place for instructions get those of the middle there too.
    package var system: [ChatAPI.Message] { chat.messages.filter { $0.role == .system || $0.role == .developer } }
    package var turns: [ChatAPI.Message] { chat.messages.filter { $0.role != .system && $0.role != .developer } }

    /// The name of the tool that made a call, by the call's id: dialects without ids need it for results.
    package var toolNames: [String: String] {
        var names: [String: String] = [:]
        for message in chat.messages {
            for part in message.parts where part.kind == .toolCall { names[part.id ?? ""] = part.name ?? "" }
        }
        return names
    }

    /// What the client names the end user, as far as other dialects take it.
    package var endUser: String? { chat.endUser.map { String($0.prefix(Self.mostUserCharacters)) } }

    /// OpenAI's limit for `safety_identifier`.
    private static let mostUserCharacters = 64

    /// - Throws: for more stop sequences than the dialect takes.
    package func checkStops(most: Int, _ dialect: String) throws {
        guard chat.stop.count > most else { return }
        throw NotExpressible.error(most == 0 ? "A stop sequence" : "More than \(most) stop sequences", in: dialect)
    }

    /// - Throws: for several choices, where the dialect makes one.
    package func checkSingle(_ dialect: String) throws {
        if let choices = chat.choices, choices > 1 { throw NotExpressible.error("n=\(choices)", in: dialect) }
    }

    /// - Throws: when the client wants the tokens' probabilities, and no answer in the dialect has them.
    package func checkLogprobs(_ dialect: String) throws {
        guard chat.logprobs == true else { return }
        throw NotExpressible.error("logprobs=true", in: dialect)
    }

    /// A forced call of one tool is as good as one call at a time: clients that want an answer in a form send both.
    /// - Throws: when the client wants one call at a time and the dialect cannot promise that.
    package func checkParallel(_ dialect: String) throws {
        guard chat.parallelToolCalls == false, !chat.tools.isEmpty, chat.toolMode != .none else { return }
        if chat.toolMode == .named || (chat.toolMode == .required && chat.tools.count == 1) { return }
        throw NotExpressible.error("parallel_tool_calls=false", in: dialect)
    }
}
