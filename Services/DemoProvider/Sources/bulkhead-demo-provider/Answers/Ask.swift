import BulkheadJSON

/// What a request asks for, whatever its dialect.
struct Ask {
    var model: String
    /// The text of the last user message.
    var prompt = ""
    /// The text of the last message, if that is the result of a tool.
    var toolResult: String?
    var promptTokens = 0
    var streams = false
    /// Chat: whether a stream ends with a chunk of usage.
    var includesUsage = false
    var choices = 1
    var maxTokens: Int?
    /// The tool to be called, if one is offered and allowed.
    var tool: Tool?
    private(set) var lastIsUser = false
    /// The JSON schema the answer must satisfy.
    var schema: JSON?

    struct Tool {
        var name: String
        var parameters: JSON
    }

    /// More choices than any client needs.
    static let mostChoices = 16
}

/// Why a request cannot be answered: a mistake of the caller.
struct BadRequest: Error {
    var message: String
    /// The member that is wrong.
    var parameter: String?
}

extension Ask {
    init(model: JSON?) throws(BadRequest) {
        guard let model = model?.string, !model.isEmpty else {
            throw BadRequest(message: "model is missing: name any model, for example demo-small", parameter: "model")
        }
        self.model = model
    }

    /// The positive number called `name`, nil if absent or null.
    static func positive(_ name: String, of body: JSON) throws(BadRequest) -> Int? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let number = value.int, number > 0 else {
            throw BadRequest(message: "\(name) must be a positive integer", parameter: name)
        }
        return number
    }

    /// Takes one message: its text counts, and the last one decides between answer and tool call.
    mutating func add(text: String, isUser: Bool, isToolResult: Bool) {
        promptTokens += Tokens.count(text) + 3
        toolResult = isToolResult ? text : nil
        lastIsUser = isUser
        if isUser { prompt = text }
    }
}
