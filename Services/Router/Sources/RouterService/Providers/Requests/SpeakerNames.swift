import BulkheadAPI

/// Names of who speaks (`name` beside a message of OpenAI's chat), for dialects that have none.
///
/// A name stands before the text, as `NAME: `. Names of the model itself are left out while there is one only: then they tell
/// nobody apart, and a model that reads its name before its words begins to write it. Names beside the results of tools are those
/// of the tools, which the calls have.
package enum SpeakerNames {
    package static func spelledOut(_ chat: ChatAPI.ChatRequest) -> ChatAPI.ChatRequest {
        guard chat.messages.contains(where: { $0.name != nil }) else { return chat }
        let selves = Set(chat.messages.lazy.filter { $0.role == .assistant }.compactMap(\.name))
        var chat = chat
        for index in chat.messages.indices {
            let name = chat.messages[index].name.take()
            guard let name, !name.isEmpty, isTold(chat.messages[index].role, selves: selves.count) else { continue }
            introduce(name, &chat.messages[index].parts)
        }
        return chat
    }

    private static func isTold(_ role: ChatAPI.Role, selves: Int) -> Bool {
        switch role {
        case .assistant: selves > 1
        case .tool: false
        case .user, .system, .developer, .unspecified: true
        }
    }

    private static func introduce(_ name: String, _ parts: inout [ChatAPI.Part]) {
        guard let first = parts.firstIndex(where: { $0.kind == .text }) else {
            // Reasoning stays first: that is where its provider looks for it.
            let place = parts.firstIndex { $0.kind != .thinking } ?? parts.endIndex
            return parts.insert(.init(kind: .text, text: "\(name):"), at: place)
        }
        parts[first].text = "\(name): \(parts[first].text)"
    }
}
