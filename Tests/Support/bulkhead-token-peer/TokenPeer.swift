import ArgumentParser
import BulkheadTokens
import Glibc

/// The product's tokenizer as a program, to be compared with others and timed.
@main struct TokenPeer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulkhead-token-peer",
        abstract:
            "Reads texts, each after its length as four bytes (little-endian), and writes their token numbers, a line a text.")

    @Argument(help: "The folder with the vocabularies' files.")
    var folder: String
    @Argument(help: "o200k_base or cl100k_base.")
    var vocabulary: String
    @Flag(help: "Write `load MS` and then `TOKENS MS ESTIMATE MS` a text instead of numbers.")
    var time = false

    func run() throws {
        guard let vocabulary = TokenVocabulary(rawValue: vocabulary) else { throw ValidationError("unknown vocabulary") }
        var before = Self.now()
        let tokenizer = try Tokenizer(vocabulary, folder: folder)
        if time { print("load \(Self.now() - before)") }
        while let length = Self.read(4) {
            let count = length.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
            guard let bytes = Self.read(count) else { throw ValidationError("the input ends inside a text") }
            let text = String(decoding: bytes, as: UTF8.self)
            before = Self.now()
            if time {
                let tokens = tokenizer.count(text)
                let counted = Self.now()
                let estimate = tokenizer.estimate(text)
                print("\(tokens) \(counted - before) \(estimate) \(Self.now() - counted)")
            } else {
                print(tokenizer.encode(text).map { "\($0)" }.joined(separator: " "))
            }
        }
    }

    /// Milliseconds.
    private static func now() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) * 1e3 + Double(now.tv_nsec) / 1e6
    }

    /// So many bytes of the input; nil at its end.
    private static func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var have = 0
        while have < count {
            let got = bytes.withUnsafeMutableBytes { Glibc.read(STDIN_FILENO, $0.baseAddress.map { $0 + have }, count - have) }
            guard got > 0 else { return nil }
            have += got
        }
        return bytes
    }
}
