import Foundation
import Testing

@Suite("Inputs the fuzzer starts from or has found harm no document and no event stream") struct FuzzReplayTests {
    @Test("the corpus is found") func found() {
        #expect(!FuzzInputs.all("json").isEmpty && !FuzzInputs.all("sse").isEmpty)
    }

    @Test("what is read as JSON is JSON within the limits, and stays the same", arguments: FuzzInputs.all("json"))
    func json(_ input: URL) throws { try JSONCheck.check(try Data(contentsOf: input)) }

    @Test("an event stream gives the same events wherever it is cut", arguments: FuzzInputs.all("sse"))
    func stream(_ input: URL) throws { try StreamCheck.check(try Data(contentsOf: input)) }
}
