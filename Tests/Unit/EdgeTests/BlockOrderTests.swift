import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore
import Testing

/// Answers whose calls a provider tells by turns, for dialects that tell one block after the other.
@Suite("Streams of one block at a time")
struct BlockOrderTests {
    enum Surface: CaseIterable {
        case messages, responses

        var dialect: any ChatDialect { self == .messages ? AnthropicChat() : ResponsesChat() }
    }

    typealias Event = ChatAPI.ChatEvent

    private static func call(_ index: Int) -> Event { Event(kind: .toolCall, toolIndex: index, id: "c\(index)", name: "f") }
    private static func arguments(_ index: Int, _ text: String) -> Event {
        Event(kind: .toolArguments, text: text, toolIndex: index)
    }
    private static func text(_ text: String) -> Event { Event(kind: .text, text: text) }
    private static let end = Event(kind: .finish, finish: .toolCalls)
    private static let served = ChatAPI.Served(model: "m", dialect: .openaiChat)

    /// What each event became.
    private func pieces(_ surface: Surface, _ events: [Event], logprobs: Bool = false) throws -> [String] {
        let chat = ChatAPI.ChatRequest(logprobs: logprobs)
        var writer = surface.dialect.stream(ChatCall(chat: chat), requestID: "r")
        var pieces: [String] = []
        for event in [Event(kind: .start, served: Self.served)] + events {
            var bytes = ByteBuffer()
            try writer.write(event, into: &bytes)
            pieces.append(String(buffer: bytes))
        }
        var bytes = ByteBuffer()
        try writer.finish(AnswerFacts(served: Self.served), into: &bytes)
        return pieces + [String(buffer: bytes)]
    }

    private func data(_ pieces: [String]) throws -> [JSON] {
        try pieces.joined().split(separator: "\n").filter { $0.hasPrefix("data: ") }.map {
            try JSON.parse(String($0.dropFirst(6)))
        }
    }

    /// The blocks in words, in their order; each is closed before the next one begins.
    private func blocks(_ surface: Surface, _ events: [Event]) throws -> [String] {
        var (blocks, isOpen): ([String], Bool) = ([], false)
        for data in try data(pieces(surface, events)) {
            let (began, ended) = (blocks.count, data["index"]?.int ?? data["output_index"]?.int)
            switch data["type"]?.string {
            case "content_block_start", "response.output_item.added":
                let block = data["content_block"] ?? data["item"]
                #expect(!isOpen && ended == began, "blocks are contiguous, one at a time")
                isOpen = true
                blocks.append(
                    (block?["id"]?.string.flatMap { $0.hasPrefix("c") ? $0 : block?["call_id"]?.string } ?? "text") + " ")
            case "content_block_delta", "response.function_call_arguments.delta", "response.output_text.delta":
                #expect(isOpen && ended == began - 1, "a delta is of the open block")
                let delta = data["delta"]
                blocks[began - 1] += delta?["text"]?.string ?? delta?["partial_json"]?.string ?? delta?.string ?? ""
            case "content_block_stop", "response.output_item.done": isOpen = false
            default: break
            }
        }
        #expect(!isOpen)
        return blocks
    }

    private static let mixed: [(events: [Event], told: [String])] = [
        (
            [call(0), call(1), arguments(0, #"{"a":"#), arguments(1, #"{"b""#), arguments(0, "1}"), arguments(1, ":[2]}")],
            [#"c0 {"a":1}"#, #"c1 {"b":[2]}"#]
        ),
        (
            [
                call(0), arguments(0, #"{"a":"}"#), call(1), arguments(1, "{"), call(2), arguments(2, "{}"),
                arguments(0, #"\""}"#),
                text("x"), arguments(1, "}"), text("y"),
            ], [#"c0 {"a":"}\""}"#, "c1 {}", "c2 {}", "text xy"]
        ),
        (
            [text("x"), call(0), arguments(0, "{"), text("y"), arguments(0, #""a":1"#), text("z"), arguments(0, "}"), text("!")],
            ["text x", #"c0 {"a":1}"#, "text yz!"]
        ),
        // The router tells of a call without arguments at the answer's end.
        ([call(0), call(1), arguments(1, "{}"), text("x"), arguments(0, "{}")], ["c0 {}", "c1 {}", "text x"]),
        // An answer that was cut.
        ([call(0), arguments(0, #"{"a"#), call(1), arguments(1, #"{"b"#), text("x")], [#"c0 {"a"#, #"c1 {"b"#, "text x"]),
        ([call(0), arguments(0, "none"), call(1), arguments(1, "{}")], ["c0 none", "c1 {}"]),
    ]

    @Test("Calls and text that come by turns are told in the order in which they began", arguments: Surface.allCases)
    func mixed(_ surface: Surface) throws {
        for (events, told) in Self.mixed { #expect(try blocks(surface, events + [Self.end]) == told) }
    }

    @Test("A stream of the Responses surface ends with the answer as it is without a stream")
    func whole() throws {
        for (events, _) in Self.mixed {
            let all = [Event(kind: .start, served: Self.served)] + events + [Self.end]
            var answer = CollectedAnswer()
            for event in all { answer.add(event) }
            let facts = AnswerFacts(served: Self.served)
            let call = ChatCall(chat: ChatAPI.ChatRequest())
            let whole = try JSON.parse(ResponsesChat().encode(answer, to: call, facts, requestID: "r"))
            #expect(try data(pieces(.responses, events + [Self.end])).last?["response"]?["output"] == whole["output"])
        }
    }

    @Test(
        "Calls that follow each other are told at once, and so is the first of those that come by turns",
        arguments: Surface.allCases)
    func undelayed(_ surface: Surface) throws {
        let events = [
            Self.text("x"), Self.call(0), Self.arguments(0, #"{"a":"#), Self.arguments(0, "[1]}"), Self.call(1),
            Self.arguments(1, "{"),
            Self.arguments(1, "}"), Self.text("y"), Self.call(2), Self.arguments(2, "{"), Self.call(3), Self.arguments(3, "{}"),
            Self.arguments(2, #""b""#), Self.arguments(2, ":2}"), Self.end,
        ]
        let told = try pieces(surface, events).map { !$0.isEmpty }
        #expect(told == Array(repeating: true, count: 11) + [false, false, true, true, false, true])
    }

    @Test("Logprobs stay beside their text, and the next call's wait holds nothing up", arguments: Surface.allCases)
    func logprobs(_ surface: Surface) throws {
        let tokens = ["x", "y"].map {
            (Self.text($0), Event(kind: .logprobs, json: #"{"content":[{"token":"\#($0)","logprob":-1}]}"#))
        }
        let events = [
            Self.call(0), Self.arguments(0, "{"), tokens[0].0, tokens[0].1, tokens[1].0, tokens[1].1, Self.arguments(0, "}"),
            Self.end,
        ]
        let deltas = try data(pieces(surface, events, logprobs: true)).filter { $0["type"] == "response.output_text.delta" }
        #expect(deltas.compactMap { $0["logprobs"]?[0]?["token"]?.string } == (surface == .responses ? ["x", "y"] : []))
    }

    @Test("What is held is bounded: then the open call counts as whole, and it cannot go on", arguments: Surface.allCases)
    func bound(_ surface: Surface) throws {
        let piece = String(repeating: "x", count: 1 << 16)
        let many = [Self.call(0), Self.arguments(0, "{"), Self.call(1), Self.arguments(1, #"{"a":""#)]
        let events = many + (0 ..< 16).map { _ in Self.arguments(1, piece) }
        let told = try pieces(surface, events + [Self.arguments(1, #""}"#), Self.end])
        #expect(told[4 ... 18].allSatisfy { $0.isEmpty } && told[20].utf8.count > 1 << 20)
        #expect(told[21].utf8.count < 1 << 10, "from there on nothing is held")
        do {
            _ = try pieces(surface, events + [Self.arguments(0, "}"), Self.end])
            Issue.record("arguments of a call that is over were taken")
        } catch let error as EdgeError {
            #expect(error.status == 502 && error.code == "stream_broken" && error.retryAdvice == false)
        }
    }

    @Test("Small events are bounded by their number", arguments: Surface.allCases)
    func small(_ surface: Surface) throws {
        let many = (0 ..< 2000).map { Event(kind: $0 % 2 == 0 ? .text : .refusal, text: "x") }
        let told = try pieces(surface, [Self.call(0), Self.arguments(0, "{")] + many + [Self.end])
        #expect(told[3 ... 1000].allSatisfy { $0.isEmpty } && told[1200 ... 2000].allSatisfy { !$0.isEmpty })
    }

    @Test("Arguments without their call are a failure", arguments: Surface.allCases)
    func stray(_ surface: Surface) {
        #expect { try pieces(surface, [Self.arguments(0, "{"), Self.end]) } throws: {
            ($0 as? EdgeError)?.message.contains("without their call") == true
        }
    }
}
