internal import BulkheadJSON

/// What the model says: the same request always gets the same answer.
struct Answer {
    enum Content {
        case text
        /// A call of the tool called `name`; the tokens are those of the arguments' JSON text.
        case toolCall(name: String)
    }

    var content: Content
    /// The text, in the tokens it is streamed in.
    var tokens: [Substring]
    /// True if the token limit cut it short.
    var isCutShort: Bool

    /// All tokens.
    var text: String { tokens.joined() }

    var toolName: String? { if case .toolCall(let name) = content { name } else { nil } }
}

extension Answer {
    /// - Parameters:
    ///   - choice: of several answers to one request, each differs.
    ///   - length: the exact number of tokens wanted, nil for an answer of natural length.
    init(to ask: Ask, choice: Int = 0, length: Int?) {
        if ask.lastIsUser, let tool = ask.tool {
            let arguments = SchemaExample.value(of: tool.parameters, text: Self.excerpt(of: ask.prompt)).text()
            self.init(content: .toolCall(name: tool.name), tokens: Tokens.split(arguments), isCutShort: false)
            return
        }
        let tokens = length.map { Self.filler($0) } ?? Tokens.split(Self.sentence(for: ask, choice: choice))
        let limit = ask.maxTokens ?? .max
        self.init(content: .text, tokens: Array(tokens.prefix(limit)), isCutShort: tokens.count > limit)
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

    private static let words: [Substring] = ["The ", "fox ", "ran ", "and ", "saw ", "how ", "the ", "dog ", "was ", "not ", "lazy", ".\n\n "]

    private static func filler(_ count: Int) -> [Substring] { (0..<count).map { words[$0 % words.count] } }
}
