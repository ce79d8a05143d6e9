import BulkheadAPI
import NIOCore
import RouterService
import Testing

struct TextBlockTests {
    @Test("A block of text right after another one is told apart from it")
    func blocks() throws {
        let json =
            #"{"id":"m","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},"#
            + #"{"type":"tool_use","id":"t","name":"f","input":{}},{"type":"text","text":"c"}],"stop_reason":"end_turn"}"#
        var decoder = AnswerDecoder(.anthropic, choices: 1)
        let events = try decoder.takeWhole(ByteBuffer(string: json))
        let texts = events.filter { $0.kind == .text }
        #expect(texts.map(\.text) == ["a", "", "b", "c"] && texts.map(\.beginsBlock) == [false, true, false, false])
    }

    @Test("Blocks of text stay apart where an answer is kept, and begin once when it is told again")
    func keptBlocks() {
        var collector = AnswerCollector(keeps: true)
        let long = String(repeating: "b", count: 200)
        collector.take([
            .init(kind: .text, text: "a"), .init(kind: .text, text: "a"), .init(kind: .text, beginsBlock: true),
            .init(kind: .text, text: long),
        ])
        #expect(collector.events == [.init(kind: .text, text: "aa"), .init(kind: .text, text: long, beginsBlock: true)])
        let told = CachedAnswer.replay(collector.events, as: .exact, streaming: true)
        #expect(told.map(\.text).joined() == "aa" + long && told.count { $0.beginsBlock } == 1)
    }
}
