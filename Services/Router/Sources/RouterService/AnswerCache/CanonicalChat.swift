import BulkheadAPI
import BulkheadJSON

/// A request in the form its key is made of: what says the same is written the same.
package enum CanonicalChat {
    /// - Parameter chat: as edge sent it. Whether the answer is streamed does not change it.
    package static func of(_ chat: ChatAPI.ChatRequest) -> ChatAPI.ChatRequest {
        var chat = chat
        chat.stream = false
        chat.temperature = rounded(chat.temperature)
        chat.topP = rounded(chat.topP)
        chat.responseFormatJson = schema(chat.responseFormatJson)
        chat.extraJson = sorted(chat.extraJson)
        for index in chat.messages.indices { canonicalise(&chat.messages[index]) }
        for index in chat.tools.indices {
            chat.tools[index].schemaJson = schema(chat.tools[index].schemaJson) ?? ""
            chat.tools[index].rawJson = schema(chat.tools[index].rawJson)
            chat.tools[index].extraJson = sorted(chat.tools[index].extraJson)
        }
        return chat
    }

    /// Arguments and results of tools are texts the model reads: they stay as they are.
    private static func canonicalise(_ message: inout ChatAPI.Message) {
        message.extraJson = sorted(message.extraJson)
        for index in message.parts.indices {
            message.parts[index].extraJson = sorted(message.parts[index].extraJson)
            if message.parts[index].kind == .raw { message.parts[index].json = sorted(message.parts[index].json) }
        }
    }

    /// To three decimals, and without a negative zero: providers see no difference below.
    private static func rounded(_ value: Double?) -> Double? {
        value.map { abs($0) < 1e9 ? ($0 * 1000).rounded() / 1000 + 0 : $0 }
    }

    /// The members in the order of their names. A text that is no JSON stays as it is.
    private static func sorted(_ text: String?) -> String? { ordered(text, keeping: []) }

    /// The same, but what a schema's `properties` are called in which order: a model writes them in that order.
    private static func schema(_ text: String?) -> String? { ordered(text, keeping: ["properties"]) }

    private static func ordered(_ text: String?, keeping: Set<String>) -> String? {
        guard let text, !text.isEmpty, let json = try? JSON.parse(text) else { return text }
        return ordered(json, keeping: keeping, isKept: false).text()
    }

    private static func ordered(_ json: JSON, keeping: Set<String>, isKept: Bool) -> JSON {
        switch json {
        case .array(let elements): return .array(elements.map { ordered($0, keeping: keeping, isKept: false) })
        case .object(let object):
            let members = object.map { member in
                (member.name, ordered(member.value, keeping: keeping, isKept: keeping.contains(member.name)))
            }
            // By scalar, as everywhere; Swift's own order of strings would make two spellings of an accent equal.
            return .object(JSONObject(isKept ? members : members.sorted { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }))
        default: return json
        }
    }
}
