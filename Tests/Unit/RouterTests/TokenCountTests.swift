import BulkheadAPI
import BulkheadJSON
import BulkheadTokens
import RouterService
import Synchronization
import Testing

struct TokenCountTests {
    @Test(
        "every model counts with its own vocabulary, or the nearest",
        arguments: [
            ("gpt-4o-mini", TokenVocabulary.o200k), ("gpt-4.1", .o200k), ("gpt-5-2025-08-07", .o200k), ("o3", .o200k),
            ("chatgpt-4o-latest", .o200k), ("gpt-4", .cl100k), ("gpt-4-turbo", .cl100k), ("gpt-3.5-turbo-1106", .cl100k),
            ("text-embedding-3-small", .cl100k), ("claude-sonnet-4-5", .o200k), ("models/gemini-2.5-pro", .o200k), ("", .o200k),
        ])
    func vocabularies(model: String, vocabulary: TokenVocabulary) {
        #expect(TokenVocabulary.of(model) == vocabulary)
    }

    @Test("pictures and sound are flat estimates, never their base64")
    func flat() {
        let long = String(repeating: "A", count: 100_000)
        let chat = ChatAPI.ChatRequest(messages: [
            .init(
                role: .user,
                parts: [
                    .init(kind: .image, text: long, mediaType: "image/png"), .init(kind: .audio, text: long),
                    .init(kind: .document, text: long, mediaType: "application/pdf"),
                    .init(kind: .document, text: "plain", mediaType: "text/plain"),
                ])
        ])
        let tokens = ChatTokens(chat)
        #expect(tokens.fixed == 7 + ChatTokens.image + ChatTokens.audio + ChatTokens.document)
        #expect(tokens.texts == ["plain"])
    }

    @Test("tools, calls, results and formats count as their JSON")
    func json() {
        var chat = ChatAPI.ChatRequest(
            messages: [
                .init(role: .assistant, parts: [.init(kind: .toolCall, id: "1", name: "f", json: "{\"a\":1}")]),
                .init(role: .tool, parts: [.init(kind: .toolResult, text: "r", id: "1")], name: "n"),
            ], tools: [.init(name: "f", description: "d", schemaJson: "{}")])
        chat.responseFormatJson = "{\"type\":\"json_object\"}"
        let tokens = ChatTokens(chat)
        #expect(tokens.texts == ["f", "{\"a\":1}", "n", "r", "f", "d", "{}", "{\"type\":\"json_object\"}"])
        #expect(tokens.fixed == 3 + 4 + 4 + 1 + 8)
    }

    @Test("a missing vocabulary is looked for again a minute later, and told once")
    func missing() {
        let now = Mutex(0)
        let told = Mutex<[String?]>([])
        let looks = Mutex(0)
        let shelf = VocabularyShelf(
            find: { _ in
                looks.withLock { $0 += 1 }
                return nil
            }, now: { now.withLock { $0 } }, changed: { _, problem in told.withLock { $0.append(problem) } })
        for _ in 0 ..< 3 { #expect(shelf.open(.o200k) == nil) }
        #expect(told.withLock { $0 } == ["o200k_base.tiktoken is not installed"])
        #expect(shelf.ready(.o200k) == nil)
        let chat = ChatAPI.ChatRequest(messages: [.init(role: .user, parts: [.init(kind: .text, text: "12345678")])])
        #expect(TokenCounter(shelf).estimate(chat, .o200k) == 9)
    }

    @Test(
        "a vocabulary that was asked for is opened behind the scenes, then used",
        .enabled(if: VocabularyFolder.find(.cl100k, executable: #filePath) != nil))
    func opened() async throws {
        let (opened, told) = AsyncStream.makeStream(of: String?.self, bufferingPolicy: .bufferingNewest(1))
        let shelf = VocabularyShelf(
            find: { VocabularyFolder.find($0, executable: #filePath) }, now: { 0 }, changed: { _, problem in told.yield(problem) }
        )
        #expect(shelf.ready(.cl100k) == nil)
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await shelf.run { $0() } }
            var waiting = opened.makeAsyncIterator()
            #expect(await waiting.next() == .some(nil))
            group.cancelAll()
        }
        #expect(shelf.ready(.cl100k)?.count("hello world") == 2)
        // Half a megabyte: what is counted is a sample, and the number is near all the same.
        let words = String(repeating: "hello world and so on, ", count: 20_000)
        let chat = ChatAPI.ChatRequest(messages: [.init(role: .user, parts: [.init(kind: .text, text: words)])])
        let exact = TokenCounter(shelf).count(chat, .cl100k)
        #expect(abs(TokenCounter(shelf).estimate(chat, .cl100k) - exact) < exact / 100)
    }
}

struct ProviderCountTests {
    private let chat = ChatAPI.ChatRequest(
        model: "claude", messages: [.init(role: .user, parts: [.init(kind: .text, text: "hi")])], temperature: 0.5, maxTokens: 10,
        stream: true, dialect: .anthropicMessages, extraJson: #"{"thinking":{"type":"enabled","budget_tokens":5},"top_x":1}"#)

    @Test("Anthropic is asked with what counts, and without what is about the answer")
    func anthropic() throws {
        let target = Target(provider: "a", destination: "a", dialect: .anthropic, model: "claude-sonnet-4-5")
        let count = try #require(try ProviderCount(chat, for: target))
        #expect(count.request.path == "/v1/messages/count_tokens" && !count.request.expectsStream)
        #expect(count.request.headers.contains { $0.name == "anthropic-version" })
        let members = try #require(try JSON.parse(count.request.body).object)
        #expect(Set(members.map(\.name)) == ["model", "messages", "thinking", "top_x"], "what is not known goes on")
        #expect(count.tokens(.init(string: #"{"input_tokens": 12}"#)) == 12)
        for nonsense in ["", "{}", "[]", #"{"input_tokens":-1}"#, #"{"input_tokens":"many"}"#, "<html>"] {
            #expect(count.tokens(.init(string: nonsense)) == nil)
        }
    }

    @Test("Gemini is asked with the whole request, under the model's own name")
    func gemini() throws {
        var chat = chat
        chat.dialect = .openaiChat
        chat.extraJson = nil
        let target = Target(provider: "g", destination: "g", dialect: .gemini, model: "gemini-2.5-flash")
        let count = try #require(try ProviderCount(chat, for: target))
        #expect(count.request.path.hasSuffix("/models/gemini-2.5-flash:countTokens") && count.request.query == nil)
        let whole = try #require(try JSON.parse(count.request.body)["generateContentRequest"])
        #expect(whole["model"]?.string == "models/gemini-2.5-flash" && whole["contents"]?.array?.count == 1)
        #expect(count.tokens(.init(string: #"{"totalTokens": 3}"#)) == 3)
    }

    @Test("a dialect that cannot count is not asked", arguments: [ProviderDialect.openai, .openaiResponses, .bedrock])
    func others(dialect: ProviderDialect) throws {
        #expect(try ProviderCount(chat, for: Target(provider: "p", destination: "d", dialect: dialect, model: "m")) == nil)
    }
}
