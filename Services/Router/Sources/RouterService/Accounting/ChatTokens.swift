import BulkheadAPI

/// The input of a chat as what its tokens are counted of.
///
/// Roles and names cost what OpenAI documents for its chat models: three tokens a message and its role's, one more for a name,
/// three with which the answer is primed. Tools and formats count as their JSON.
package struct ChatTokens: Sendable {
    /// Tokens that are not of text.
    package private(set) var fixed = primed
    /// Everything that is text.
    package private(set) var texts: [String] = []

    private static let primed = 3
    private static let perMessage = 4
    private static let perName = 1
    private static let perTool = 8
    /// An image of 1024 × 1024 in high detail, as OpenAI counts it: 85 and four tiles of 170.
    package static let image = 765
    /// A page of a document as text and image, as Anthropic documents it (1500 to 3000).
    package static let document = 3000
    /// Half a minute of speech at 10 tokens a second.
    package static let audio = 300

    package init(_ chat: ChatAPI.ChatRequest) {
        for message in chat.messages {
            fixed += Self.perMessage
            if let name = message.name {
                fixed += Self.perName
                texts.append(name)
            }
            for part in message.parts { take(part) }
        }
        for tool in chat.tools {
            fixed += Self.perTool
            take([tool.name, tool.description, tool.schemaJson, tool.rawJson])
        }
        take([chat.responseFormatJson])
    }

    private mutating func take(_ part: ChatAPI.Part) {
        switch part.kind {
        case .image: fixed += Self.image
        case .audio: fixed += Self.audio
        case .document where part.mediaType?.hasPrefix("text/") != true: fixed += Self.document
        default: take([part.name, part.text, part.json])
        }
    }

    private mutating func take(_ some: [String?]) {
        for case .some(let text) in some where !text.isEmpty { texts.append(text) }
    }
}
