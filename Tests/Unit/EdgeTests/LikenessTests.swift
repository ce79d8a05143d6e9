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
        "Case, digits, white space and punctuation make no other call of it",
        arguments: [
            "what is the weather", "What is the  weather?", "What is\nthe weather!?", "1. What is the weather (17)",
            "WHAT IS THE WEATHER 42",
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
