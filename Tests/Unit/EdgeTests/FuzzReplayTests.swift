import BulkheadJSON
import EdgeService
import Foundation
import Testing

@Suite("Inputs the fuzzer starts from or has found harm no request") struct FuzzReplayTests {
    @Test("the corpus is found") func found() { #expect(!FuzzInputs.all("surfaces").isEmpty) }

    @Test("a body is refused by the name of a member, or travels unchanged", arguments: FuzzInputs.all("surfaces"))
    func body(_ input: URL) throws { try SurfaceCheck.check(try Data(contentsOf: input)) }
}

/// In the place of the fuzzer's: a request for a count is read here as one for a message, which needs a limit besides.
enum TokenCount {
    static func decode(_ body: JSON) throws -> ChatCall { try AnthropicChat().decode(body) }
}
