import RetrievalService
import Testing

struct BertTokenizerTests {
    /// Ids: the place in this list.
    private static let pieces = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", "##b", "##bc", "!", "cafe", "é", "中", "[", "]", "cls",
        "ß", "i", "run", "##ning",
    ]

    private static func ids(_ text: String, lineEnd: String = "\n") throws -> [Int32] {
        let file = pieces.map { $0 + lineEnd }.joined()
        return Array(BertTokenizer(try Vocabulary(Array(file.utf8))).ids(text).dropFirst().dropLast())
    }

    private static let table: [(String, [Int32])] = [
        ("", []), (" \t\r\n", []), ("unaffable", [4, 5, 6]), ("UNAFFABLE", [4, 5, 6]), ("abc", [7, 9]), ("abb", [7, 8, 8]),
        ("abd", [1]), ("a!a", [7, 10, 7]), ("!!", [10, 10]), ("Café", [11]), ("CAFE\u{301}", [11]), ("a中a", [7, 13, 7]),
        ("中中", [13, 13]), ("a\u{0}\u{200d}\u{fffd}bc", [7, 9]), ("a\u{a0}a\u{2003}a", [7, 7, 7]), ("a\u{b}a", [1]),
        ("[CLS]", [14, 16, 15]), ("ß", [17]), ("\u{130}", [18]), ("running a", [19, 20, 7]),
        (String(repeating: "a", count: 101), [1]), ("\u{202e}a", [7]),
    ]

    @Test("words part, lose case and accents, and become their longest pieces", arguments: table)
    func splits(text: String, expected: [Int32]) throws {
        #expect(try Self.ids(text) == expected)
        #expect(try Self.ids(text, lineEnd: "\r\n") == expected)
    }

    @Test("a long text is cut to 256 ids and still ends with [SEP]", arguments: ["a ", "unaffable ", "中", "é!"])
    func truncates(unit: String) throws {
        let file = Self.pieces.joined(separator: "\n")
        let ids = BertTokenizer(try Vocabulary(Array(file.utf8))).ids(String(repeating: unit, count: 2000))
        #expect(ids.count == 256)
        #expect(ids.first == 2 && ids.last == 3)
    }

    @Test("a vocabulary without a special piece is refused", arguments: ["[UNK]", "[CLS]", "[SEP]"])
    func refuses(missing: String) {
        let file = Self.pieces.filter { $0 != missing }.joined(separator: "\n")
        #expect(throws: ModelError("vocab.txt lacks \(missing)")) { try Vocabulary(Array(file.utf8)) }
    }

    @Test("the last line counts with or without its line end")
    func countsLines() throws {
        let file = Self.pieces.joined(separator: "\n")
        #expect(try Vocabulary(Array(file.utf8)).count == Self.pieces.count)
        #expect(try Vocabulary(Array((file + "\n").utf8)).count == Self.pieces.count)
    }
}
