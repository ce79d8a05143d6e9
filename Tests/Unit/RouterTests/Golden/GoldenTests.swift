import BulkheadAPI
import NIOCore
import RouterService
import Testing

struct GoldenTests {
    static let requests =
        OpenAIGolden.requests + AnthropicGolden.requests + ResponsesGolden.requests + GeminiGolden.requests
        + BedrockGolden.requests
    static let answers =
        OpenAIGolden.answers + AnthropicGolden.answers + ResponsesGolden.answers + GeminiGolden.answers + BedrockGolden.answers

    @Test("a canonical request becomes the dialect's, member for member, or is refused with the reason", arguments: requests)
    func request(_ golden: GoldenRequest) {
        #expect(golden.made() == golden.expected)
    }

    @Test("an answer of the dialect becomes canonical events, usage and an end that is told as it is", arguments: answers)
    func answer(_ golden: GoldenAnswer) {
        #expect(golden.decoded() == golden.expected)
    }

    @Test("a stream gives the same events wherever it is cut in two", arguments: answers.filter { !$0.isWhole })
    func split(_ golden: GoldenAnswer) {
        let whole = golden.decoded()
        let wrong = (1 ..< golden.bytes.readableBytes).filter { golden.decoded(pieces: [$0]) != whole }
        #expect(wrong == [])
    }

    @Test("a stream gives the same events byte by byte", arguments: answers.filter { !$0.isWhole })
    func trickle(_ golden: GoldenAnswer) {
        #expect(golden.decoded(pieces: Array(repeating: 1, count: golden.bytes.readableBytes)) == golden.decoded())
    }

    @Test("a stream cut anywhere before its end is never complete without the proof", arguments: answers.filter { !$0.isWhole })
    func cut(_ golden: GoldenAnswer) throws {
        let bytes = golden.bytes
        for length in 0 ..< bytes.readableBytes {
            var decoder = AnswerDecoder(golden.dialect, choices: golden.choices)
            var events: [ChatAPI.ChatEvent] = []
            var piece = bytes
            piece.moveWriterIndex(to: piece.readerIndex + length)
            do throws(DecodeFault) { try decoder.feed(piece, into: &events) } catch { continue }
            let finished = events.filter { $0.kind == .finish }.count
            #expect(decoder.isComplete == (finished > 0 && finished >= golden.choices), "after \(length) bytes")
        }
    }
}

extension GoldenAnswer: CustomTestStringConvertible {}
