import BulkheadAPI
import BulkheadJSON

/// Members of messages, content parts and tools that only the client's dialect has. The rules are those of the request's.
enum ForeignParts {
    /// Marks for the provider's cache: prices. `CachePoint` translates them where there is something to translate them to.
    private static let marks = [String: MemberRule](leftOut: "cache_control")
    /// What a provider told of its own words, and reasoning, which goes back signed or not at all.
    private static let told = marks.adding(
        .init(leftOut: "annotations", "logprobs", "reasoning", "reasoning_details", "phase"))
    /// Objects that are translated: what is left of them has no place.
    private static let nothing = MemberRule.members([:])
    private static let detail = [String: MemberRule](leftOut: "detail")
    private static let image = marks.adding(detail).adding(["image_url": .members(detail), "source": nothing])
    private static let document = marks.adding(["citations": .only([["enabled": false]]), "file": nothing])
    private static let sound = marks.adding(["input_audio": nothing])
    private static let text = marks.adding(.init(leftOut: "annotations", "logprobs", "citations"))
    /// Google's compatible servers put a signature beside a call, which edge has read.
    private static let call = marks.adding([
        "caller": .only([["type": "direct"]]), "function": nothing,
        "extra_content": .members(["google": .members(.init(leftOut: "thought_signature"))]),
    ])
    private static let tool = marks.adding([
        "eager_input_streaming": .leftOut, "defer_loading": .only([false]), "allowed_callers": .only([["direct"]]),
        "function": nothing,
    ])
    private static let source: [String: MemberRule] = ["source": .members(.init(leftOut: "type", "media_type", "data", "url"))]
    /// Blocks of a tool's result that `ToolOutput` takes apart; of other blocks nothing is lost.
    private static let blocks: [String: [String: MemberRule]] = [
        "text": text.adding(.init(leftOut: "type", "text")), "input_text": text.adding(.init(leftOut: "type", "text")),
        "output_text": text.adding(.init(leftOut: "type", "text")), "image": image.adding(source).adding(.init(leftOut: "type")),
        "document": document.adding(source).adding(.init(leftOut: "type", "title")),
        "input_image": image.adding(.init(leftOut: "type", "image_url")),
        "image_url": marks.adding(["type": .leftOut, "image_url": .members(.init(leftOut: "url", "detail"))]),
    ]

    /// - Throws: `CallError` INVALID_ARGUMENT for the first member that cannot be left out.
    static func check(_ message: ChatAPI.Message, _ dialect: String) throws {
        if let extra = try members(message.extraJson, "a message") {
            if let audio = extra["audio"], !audio.isNull {
                throw NotExpressible.error("A message that refers to stored audio", in: dialect)
            }
            let rules = message.role == .assistant ? told : marks
            try ForeignMembers.refuse(rules.firstUnfit(in: extra), of: "a message", dialect)
        }
        for part in message.parts { try check(part, dialect) }
    }

    static func check(_ tool: ChatAPI.Tool, _ dialect: String) throws {
        guard tool.rawJson == nil, let extra = try members(tool.extraJson, "a tool") else { return }
        try ForeignMembers.refuse(Self.tool.firstUnfit(in: extra), of: "the tool '\(tool.name.prefix(64))'", dialect)
    }

    private static func check(_ part: ChatAPI.Part, _ dialect: String) throws {
        if part.kind == .toolResult { try checkBlocks(part, dialect) }
        guard let extra = try members(part.extraJson, "a content part"), let (rules, name) = rules(part.kind) else { return }
        // A dialect with citations takes them by itself, and the others say what they cannot do.
        let rest =
            part.kind == .document ? JSONObject(extra.filter { $0.name != "citations" }.map { ($0.name, $0.value) }) : extra
        try ForeignMembers.refuse(rules.firstUnfit(in: rest), of: name, dialect)
    }

    /// nil for parts that are forwarded whole or not at all.
    private static func rules(_ kind: ChatAPI.PartKind) -> ([String: MemberRule], String)? {
        switch kind {
        case .text, .refusal: (text, "a text")
        case .image: (image, "an image")
        case .document: (document.adding(["source": nothing]), "a document")
        case .audio: (sound, "a sound")
        case .toolCall: (call, "a tool call")
        case .toolResult: (marks, "a tool result")
        case .thinking: (marks, "reasoning")
        case .raw, .unspecified: nil
        }
    }

    private static func checkBlocks(_ part: ChatAPI.Part, _ dialect: String) throws {
        guard let written = part.json, let list = try NotExpressible.parse(written, what: "a tool result").array,
            list.allSatisfy({ $0["type"]?.string != nil })
        else { return }
        for block in list {
            guard let rules = blocks[block["type"]?.string ?? ""], let members = block.object else { continue }
            try ForeignMembers.refuse(rules.firstUnfit(in: members), of: "a tool result", dialect)
        }
    }

    private static func members(_ json: String?, _ what: String) throws -> JSONObject? {
        guard let json, !json.isEmpty else { return nil }
        return try NotExpressible.parse(json, what: "what stands beside \(what)").object
    }
}
