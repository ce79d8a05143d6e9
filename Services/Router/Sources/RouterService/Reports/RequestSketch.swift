import BulkheadJSON

/// What of a request decides where it can go and what it costs. Read from a body of any client dialect by looking for what
/// they share; nothing is validated: that is edge's work.
package struct RequestSketch: Codable, Sendable, Equatable {
    /// What the body looks like: openai-chat, openai-responses or anthropic-messages.
    package var dialect: String
    package var model: String?
    /// The beginning of all text, tools included; for counting its tokens.
    package var text = ""
    /// All text in bytes.
    package var bytes = 0
    package var images = 0
    package var documents = 0
    package var sounds = 0
    package var tools = 0
    package var stream = false
    /// The most output tokens the client wants.
    package var maxTokens: Int?
    package var choices = 1
    /// The answer has a form: JSON mode or a schema.
    package var wantsJSON = false
    /// The last message is the assistant's: it is to be continued.
    package var isPrefilled = false
    /// Temperature 0, or a seed.
    package var isDeterministic = false
    /// `bulkhead.cache`: default, off or refresh.
    package var cache = "default"

    /// Bytes of `text`; the rest is taken to be like them.
    package static let sampleLimit = 64 << 10

    /// - Parameter body: of a chat, Responses or Messages request.
    /// - Throws: `Unreadable`.
    package init(_ body: [UInt8]) throws {
        let json: JSON
        do {
            json = try body.withUnsafeBytes { try JSON.parse($0) }
        } catch {
            throw Unreadable(description: "not JSON: \(error)")
        }
        if let problem = BodyShape.problem(json) { throw Unreadable(description: problem) }
        guard let object = json.object, let turns = object["messages"] ?? object["input"] else {
            throw Unreadable(description: "neither messages nor input in it")
        }
        dialect = Self.dialect(object)
        model = object["model"]?.string
        for part in [turns, object["system"], object["instructions"]].compactMap({ $0 }) { take(part, under: "") }
        isPrefilled = turns.array?.last?["role"]?.string == "assistant"
        readTools(object)
        readWishes(object)
    }

    /// Why a body says nothing.
    package struct Unreadable: Error, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    private static func dialect(_ object: JSONObject) -> String {
        if object["messages"] == nil { return "openai-responses" }
        let tools = object["tools"]?.array ?? []
        let isAnthropic =
            object["system"] != nil || object["stop_sequences"] != nil || object["thinking"] != nil
            || tools.contains { $0["input_schema"] != nil }
            || object["messages"]?.array?.contains { message in
                message["content"]?.array?.contains { ["tool_use", "tool_result"].contains($0["type"]?.string) } == true
            } == true
        return isAnthropic ? "anthropic-messages" : "openai-chat"
    }

    private mutating func readTools(_ object: JSONObject) {
        let listed = object["tools"]?.array ?? []
        tools = listed.count
        for tool in listed { take(tool, under: "tool") }
    }

    private mutating func readWishes(_ object: JSONObject) {
        stream = object["stream"]?.bool ?? false
        maxTokens = ["max_completion_tokens", "max_output_tokens", "max_tokens"].lazy.compactMap { object[$0]?.int }.first
        choices = max(1, object["n"]?.int ?? 1)
        let format = object["response_format"]?["type"]?.string ?? object["text"]?["format"]?["type"]?.string
        wantsJSON = format.map { $0 != "text" } ?? false
        isDeterministic = object["temperature"]?.double == 0 || object["seed"]?.int != nil
        cache = object["bulkhead"]?["cache"]?.string ?? "default"
    }

    // MARK: text

    /// Members that say what something is, not what is said.
    private static let labels: Set<String> = ["type", "role", "id", "tool_call_id", "call_id", "tool_use_id", "cache_control"]

    /// The parser bounds the depth.
    private mutating func take(_ json: JSON, under name: String) {
        switch json {
        case .string(let text): append(text)
        case .array(let items): for item in items { take(item, under: name) }
        case .object(let object): take(object, under: name)
        default: break
        }
    }

    private mutating func take(_ object: JSONObject, under name: String) {
        if name != "tool" {
            switch object["type"]?.string {
            case "image", "image_url", "input_image": return images += 1
            case "document", "file", "input_file": return documents += 1
            case "audio", "input_audio": return sounds += 1
            default: break
            }
        }
        for (member, value) in object where !Self.labels.contains(member) {
            if name == "tool" { append(member) }
            take(value, under: name)
        }
    }

    private mutating func append(_ more: String) {
        let count = more.utf8.count
        bytes += count
        let room = Self.sampleLimit - text.utf8.count
        guard room > 0 else { return }
        text += room >= count ? more : String(decoding: more.utf8.prefix(room), as: UTF8.self)
    }
}
