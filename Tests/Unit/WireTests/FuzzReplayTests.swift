import Foundation
import NIOCore
import Testing

@Suite("Inputs the fuzzer starts from or has found harm no message") struct FuzzReplayTests {
    /// The inputs of the fuzz target `messages`: the number of a message, then its bytes.
    static let inputs: [URL] = ["Corpus", "Regressions"].flatMap { folder in
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Fuzz").standardizedFileURL
        let place = root.appending(path: "\(folder)/messages")
        return (try? FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil)) ?? []
    }

    @Test("the corpus is found") func found() { #expect(Self.inputs.count >= everyMessage.count) }

    @Test("what can be decoded can be encoded, and is the same when decoded again", arguments: inputs)
    func replay(_ input: URL) throws {
        let bytes = try Array(Data(contentsOf: input))
        let type = everyMessage[Int(bytes.first ?? 0) % everyMessage.count]
        try check(type, Array(bytes.dropFirst()))
    }

    private func check<M: TestedMessage>(_ type: M.Type, _ bytes: [UInt8]) throws {
        guard let message = try? M.decoded(ByteBuffer(bytes: bytes)) else { return }
        let written = try message.encoded()
        let again = try M.decoded(written)
        // A NaN is not equal to itself.
        #expect(again == message || (fields(again) == fields(message) && fields(message).contains("nan")))
        #expect(try again.encoded() == written)
    }

    private func fields(_ message: some TestedMessage) -> String {
        var text = ""
        dump(message, to: &text)
        return text
    }
}
