import BulkheadJSON

/// What members of a request body must be for an explanation of it to be true. Not the validation of the API, which is edge's
/// work: a body that passes here may still be refused there.
enum BodyShape {
    private enum Kind: String {
        case text = "a string"
        case flag = "true or false"
        case number = "a number"
        case count = "a whole number from 1 up"
        case whole = "a whole number"
        case list = "a list"
        case object = "an object"
        case textOrList = "a string or a list"
    }

    /// Members that mean the same in every client dialect that has them.
    private static let members: [(name: String, kind: Kind)] = [
        ("stream", .flag), ("n", .count), ("max_tokens", .count), ("max_completion_tokens", .count),
        ("max_output_tokens", .count),
        ("temperature", .number), ("top_p", .number), ("seed", .whole), ("stop", .textOrList), ("tools", .list),
        ("response_format", .object), ("text", .object), ("system", .textOrList), ("instructions", .text), ("logprobs", .flag),
        ("top_logprobs", .whole), ("bulkhead", .object),
    ]

    /// What is wrong with a body, in words that show nothing of its contents; nil when nothing is.
    static func problem(_ body: JSON) -> String? {
        guard let object = body.object else { return "\(word(body)), where the object of a request belongs" }
        guard let model = object["model"] else { return "no model in it" }
        guard model.string?.isEmpty == false else { return wrong("model", model, "the name of a model") }
        if let wrong = turns(object) { return wrong }
        for (name, kind) in members {
            if let value = object[name], !value.isNull, !fits(value, kind) { return wrong(name, value, kind.rawValue) }
        }
        return nil
    }

    private static func turns(_ object: JSONObject) -> String? {
        if let messages = object["messages"] {
            guard let list = messages.array, !list.isEmpty else { return wrong("messages", messages, "a list of messages") }
            return list.indices.lazy.compactMap { message(list[$0], "messages[\($0)]") }.first
        }
        guard let input = object["input"] else { return "neither messages nor input in it" }
        if input.string?.isEmpty == false { return nil }
        guard let list = input.array, !list.isEmpty else { return wrong("input", input, "a text or a list of items") }
        return list.indices.lazy.filter { list[$0].object == nil }.map { wrong("input[\($0)]", list[$0], "an object") }.first
    }

    private static func message(_ message: JSON, _ place: String) -> String? {
        guard message.object != nil else { return wrong(place, message, "an object with role and content") }
        guard message["role"]?.string != nil else { return wrong("\(place).role", message["role"] ?? .null, "a string") }
        guard let content = message["content"], !content.isNull, content.string == nil, content.array == nil else { return nil }
        return wrong("\(place).content", content, Kind.textOrList.rawValue)
    }

    private static func fits(_ value: JSON, _ kind: Kind) -> Bool {
        switch kind {
        case .text: value.string != nil
        case .flag: value.bool != nil
        case .number: value.double != nil
        case .count: value.int.map { $0 >= 1 } ?? false
        case .whole: value.int != nil
        case .list: value.array != nil
        case .object: value.object != nil
        case .textOrList: value.string != nil || value.array != nil
        }
    }

    private static func wrong(_ place: String, _ value: JSON, _ expected: String) -> String {
        "\(place) is \(word(value)), and must be \(expected)"
    }

    private static func word(_ value: JSON) -> String {
        switch value {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .int, .uint, .double: "a number"
        case .string(let text): text.isEmpty ? "an empty string" : "a string"
        case .array(let items): items.isEmpty ? "an empty list" : "a list"
        case .object: "an object"
        }
    }
}
