/// Makes tokens of text with a published vocabulary. Text that looks like a special token is text.
///
/// Holds about 4.5 MB (o200k_base) or 2.5 MB (cl100k_base); makes and counts on any thread.
package final class Tokenizer: Sendable {
    /// Whose tokens it makes.
    package let vocabulary: TokenVocabulary
    private let table: RankTable

    /// Reads the vocabulary's file and checks that it is the published one. Blocks on the file system.
    /// - Parameter folder: where the file lies.
    /// - Throws: `VocabularyError`.
    package init(_ vocabulary: TokenVocabulary, folder: String) throws {
        self.vocabulary = vocabulary
        let name = vocabulary.fileName
        table = try VocabularyFile.read("\(folder)/\(name)", name: name) { bytes in
            try VocabularyFile.check(bytes, vocabulary)
            var tokens: [UInt8] = []
            var starts: [UInt32] = [0]
            tokens.reserveCapacity(bytes.count / 2)
            try VocabularyFile.tokens(bytes, name: name) { token in
                tokens.append(contentsOf: token)
                starts.append(UInt32(tokens.count))
            }
            return try RankTable(tokens: tokens, starts: starts, name: name)
        }
    }

    /// How many tokens `text` has.
    package func count(_ text: String) -> Int {
        var total = 0
        var merger = PairMerger(table)
        pieces(text) { piece, length in
            total += table.rank(piece, length) != RankTable.none ? 1 : merger.count(piece, length)
        }
        return total
    }

    /// About how many tokens `text` has: pieces that no word has the length of are counted in parts, so that the time is
    /// proportional to the text's length whatever it is.
    package func estimate(_ text: String) -> Int {
        var total = 0
        var merger = PairMerger(table)
        pieces(text) { piece, length in
            guard length > PairMerger.longestScanned else {
                return total += table.rank(piece, length) != RankTable.none ? 1 : merger.count(piece, length)
            }
            var at = 0
            while at < length {
                let part = min(PairMerger.longestScanned, length - at)
                total += merger.count(piece + at, part)
                at += part
            }
        }
        return total
    }

    /// The ranks of the tokens of `text`.
    package func encode(_ text: String) -> [Int] {
        var ranks: [Int] = []
        var merger = PairMerger(table)
        pieces(text) { piece, length in
            let whole = table.rank(piece, length)
            guard whole == RankTable.none else { return ranks.append(Int(whole)) }
            let parts = merger.parts(piece, length)
            for (start, end) in zip(parts, parts.dropFirst()) {
                ranks.append(Int(table.rank(piece + Int(start), Int(end - start))))
            }
        }
        return ranks
    }

    private func pieces(_ text: String, _ take: (UnsafePointer<UInt8>, Int) -> Void) {
        var text = text
        text.withUTF8 { bytes in
            guard let base = bytes.baseAddress else { return }
            var splitter = TextSplitter(bytes, vocabulary)
            while let piece = splitter.next() { take(base + piece.lowerBound, piece.count) }
        }
    }
}
