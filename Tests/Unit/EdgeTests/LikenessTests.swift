import BulkheadAPI
import EdgeService
import Testing

@Suite("Likeness of calls")
struct LikenessTests {
    private func likeness(_ texts: String..., model: String = "gpt-5") -> UInt64 {
        Likeness.of(
            ChatAPI.ChatRequest(
                model: model, messages: texts.map { .init(role: .user, parts: [.init(kind: .text, text: $0)]) }))
    }

    @Test(
        "Case, white space and punctuation make no other call of it",
        arguments: [
            "what is the weather", "What is the  weather?", "What is\nthe weather!?", "\"(What is) the: weather...\"",
            "WHAT IS THE WEATHER",
        ])
    func alike(_ text: String) { #expect(likeness(text) == likeness("What is the weather")) }

    @Test(
        "Other words, words run together, another order, another model, more messages make another one",
        arguments: ["What is the whether", "Whatis the weather", "the weather is What", "What is the weather like", ""])
    func different(_ text: String) {
        #expect(likeness(text) != likeness("What is the weather"))
        #expect(likeness("What is the weather", model: "gpt-4") != likeness("What is the weather"))
        #expect(likeness("What is", "the weather") != likeness("What is the weather"))
    }

    @Test(
        "Times of day and UUIDs say when and where a call was made, not what it asks for",
        arguments: [
            ("at 2026-11-22T07:00:05Z: go", "at 2026-11-22T07:00:06.123+01:00: go"),
            ("at 2026-11-22 07:00 go", "at 2026-11-22 07:01 go"), ("it is 07:00:05", "it is 23:59:59"),
            ("now=1700000000 go", "now=1700000777 go"), ("ts 1700000000123", "ts 1700009999123"),
            ("run 8e03978e-40d5-43dd-bc93-6894a57f9324", "run 550E8400-E29B-41D4-A716-446655440000"),
            ("trace 8e03978e40d543ddbc936894a57f9324.", "trace 550e8400e29b41d4a716446655440000"),
        ])
    func passing(_ one: String, _ other: String) { #expect(likeness(one) == likeness(other)) }

    @Test(
        "A batch over rows is no call that repeats itself",
        arguments: [
            ("row 12", "row 13"), ("1. What is the weather", "2. What is the weather"), ("order 4711000012", "order 4711000013"),
            ("report for 2026-11-22", "report for 2026-11-23"), ("book the 07:00 slot", "book the 07:15 slot"),
            ("draw 100:20", "draw 100:30"), ("1.5", "15"),
            ("2 + 3", "2 - 3"), ("a < b", "a > b"), ("cafebabe", "cafebabf"), ("id 1700000000a", "id 1700000001a"),
            ("1700000000-1", "1700000000-2"),
            ("x 8e03978e-40d5-43dd-bc93-6894a57f9324-1", "x 8e03978e-40d5-43dd-bc93-6894a57f9324-2"),
        ])
    func rows(_ one: String, _ other: String) { #expect(likeness(one) != likeness(other)) }

    @Test("Long conversations are told apart by their end")
    func long() {
        let history = String(repeating: "lorem ipsum dolor ", count: 20_000)
        #expect(likeness(history, "first question") != likeness(history, "second question"))
        #expect(likeness(history + "one") != likeness(history + "two"))
        #expect(likeness(history, "again") == likeness(history, "Again!"))
    }

    @Test("The same question about another picture is another call")
    func pictures() {
        func look(_ url: String) -> UInt64 {
            Likeness.of(
                ChatAPI.ChatRequest(
                    model: "m",
                    messages: [
                        .init(
                            role: .user,
                            parts: [.init(kind: .text, text: "what is this"), .init(kind: .image, url: "https://x/\(url)")])
                    ]))
        }
        #expect(look("1.png") != look("2.png") && look("1.png") == look("1.png"))
    }

    @Test("It is never the number of those that do not matter")
    func nonZero() { #expect(likeness() != 0 && likeness("") != 0) }
}
