import Foundation
import Testing

@Suite("Inputs the fuzzer starts from or has found harm no answer") struct FuzzReplayTests {
    @Test("the corpus is found") func found() { #expect(FuzzInputs.all("answers").count >= GoldenTests.answers.count) }

    @Test("an answer keeps its order, wherever it is cut, or ends with a fault", arguments: FuzzInputs.all("answers"))
    func answer(_ input: URL) throws { try AnswerCheck.check(try Data(contentsOf: input)) }
}
