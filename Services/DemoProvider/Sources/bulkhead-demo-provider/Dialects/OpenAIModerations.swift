import BulkheadJSON

/// POST /v1/moderations: a text with one of the words below is flagged for its category.
enum OpenAIModerations {
    private static let words: [(category: String, words: [String])] = [
        ("harassment", ["idiot", "moron"]), ("hate", ["subhuman"]), ("self-harm", ["suicide"]), ("sexual", ["porn"]),
        ("violence", ["kill", "murder"]),
    ]
    private static let most = 1024

    /// The texts of a request.
    static func texts(_ body: JSON) throws(BadRequest) -> [String] {
        if let text = body["input"]?.string { return [text] }
        guard let inputs = body["input"]?.array, (1 ... most).contains(inputs.count) else {
            throw BadRequest(message: "input must be a text or a list of 1 to \(most) of them", parameter: "input")
        }
        // Parts of one input (text and images) are one text.
        if inputs.contains(where: { $0["type"] != nil }) { return [JSON.array(inputs).messageText] }
        return inputs.map { $0.string ?? "" }
    }

    static func write(_ texts: [String], model: String, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("id", AnswerID.next("modr-"))
            writer.field("model", model)
            writer.array("results") { writer in
                for text in texts { writer.object { write(text, &$0) } }
            }
        }
    }

    private static func write(_ text: String, _ writer: inout JSONWriter) {
        let said = Set(text.lowercased().split { !$0.isLetter }.map(String.init))
        let found = words.map { (category: $0.category, isFlagged: !said.isDisjoint(with: $0.words)) }
        writer.field("flagged", found.contains { $0.isFlagged })
        writer.object("categories") { writer in for entry in found { writer.field(entry.category, entry.isFlagged) } }
        writer.object("category_scores") { writer in
            for entry in found { writer.field(entry.category, entry.isFlagged ? 0.97 : 0.001) }
        }
        writer.object("category_applied_input_types") { writer in
            for entry in found { writer.array(entry.category) { $0.value("text") } }
        }
    }
}
