import BulkheadJSON

/// What the model says: the same request always gets the same answer.
struct Answer {
    enum Content {
        case text
        /// A call of the tool called `name`.
        case toolCall(name: String)
    }

    let content: Content
    /// What the model says, or the arguments of the call.
    let text: String
    let tokenCount: Int
    /// True if the token limit cut it short.
    let isCutShort: Bool

    /// The text in the pieces it is streamed in.
    var tokens: [String] { Tokens.split(text) }

    var toolName: String? { if case .toolCall(let name) = content { name } else { nil } }
}

extension Answer {
    /// - Parameters:
    ///   - choice: of several answers to one request, each differs.
    ///   - length: the exact number of tokens wanted, nil for an answer of natural length.
    init(to ask: Ask, choice: Int = 0, length: Int?) {
        if ask.lastIsUser, let tool = ask.tool {
            let arguments = SchemaExample.value(of: tool.parameters, text: Self.excerpt(of: ask.prompt)).text()
            self.init(content: .toolCall(name: tool.name), whole: arguments, limit: .max)
        } else {
            let text = length.map { Self.filler($0) } ?? Self.sentence(for: ask, choice: choice)
            self.init(content: .text, whole: text, limit: ask.maxTokens ?? .max)
        }
    }

    private init(content: Content, whole: String, limit: Int) {
        let count = Tokens.count(whole)
        self.content = content
        isCutShort = count > limit
        tokenCount = min(count, limit)
        text = isCutShort ? Tokens.split(whole).prefix(limit).joined() : whole
    }

    private static func sentence(for ask: Ask, choice: Int) -> String {
        if let schema = ask.schema { return SchemaExample.value(of: schema, text: excerpt(of: ask.prompt)).text() }
        let quoted = ask.toolResult.map { "The tool says: “\(excerpt(of: $0))”" } ?? "You wrote: “\(excerpt(of: ask.prompt))”"
        let end = choice == 0 ? "" : " (Choice \(choice + 1).)"
        return "Hello from the demo provider! \(quoted). A real model would know more.\(end)"
    }

    /// At most 240 characters of `text`.
    private static func excerpt(of text: String) -> String {
        text.utf8.count <= 240 ? text : String(text.prefix(240)) + "…"
    }

    // Each has the four bytes of a token.
    private static let words = ["The ", "fox ", "ran ", "and ", "saw ", "how ", "the ", "dog ", "was ", "not ", "lazy", ".\n\n "]

    private static func filler(_ count: Int) -> String { (0 ..< count).map { words[$0 % words.count] }.joined() }
}
