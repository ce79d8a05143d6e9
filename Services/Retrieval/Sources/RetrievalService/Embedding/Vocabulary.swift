/// The WordPieces of a `vocab.txt`: one a line, the line number is the id. Pieces that go on inside a word start with `##`.
///
/// Looked up by bytes in two open-addressing tables over the file's own text: no allocation, and none of `String`'s
/// canonical equivalence, under which distinct pieces would be equal.
package struct Vocabulary: Sendable {
    private struct Table: Sendable {
        /// Line numbers; -1 where empty. A power of two, at most half full, so that a search ends.
        var slots: [Int32] = []
        /// The longest piece in bytes.
        var longest = 0
    }

    private static let maximumPieces = 1 << 20

    private let text: [UInt8]
    /// Where each piece's bytes stand in `text`, without `##`.
    private let ranges: [Range<Int32>]
    private let first: Table
    private let further: Table

    /// How many pieces there are.
    package var count: Int { ranges.count }
    /// `[UNK]`: what stands for a word that has no pieces.
    package let unknown: Int32
    /// `[CLS]`, before every text.
    package let start: Int32
    /// `[SEP]`, after every text.
    package let end: Int32

    /// - Throws: `ModelError` when the file is too large or lacks one of the three special pieces.
    package init(_ file: [UInt8]) throws {
        text = file
        var ranges: [Range<Int32>] = []
        var isFurther: [Bool] = []
        guard file.count <= Int32.max else { throw ModelError("vocab.txt is larger than 2 GiB") }
        for line in file.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            guard ranges.count < Self.maximumPieces else { throw ModelError("vocab.txt has over \(Self.maximumPieces) lines") }
            let piece = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            let goesOn = piece.count > 2 && piece.starts(with: "##".utf8)
            ranges.append(Int32(piece.startIndex + (goesOn ? 2 : 0)) ..< Int32(piece.endIndex))
            isFurther.append(goesOn)
        }
        if file.last == UInt8(ascii: "\n") { ranges.removeLast() }
        self.ranges = ranges
        first = Self.table(file, ranges, isFurther, of: false)
        further = Self.table(file, ranges, isFurther, of: true)
        unknown = try Self.special("[UNK]", file, ranges, first)
        start = try Self.special("[CLS]", file, ranges, first)
        end = try Self.special("[SEP]", file, ranges, first)
    }

    /// The longest piece that `bytes` begins with, ending between two characters; nil when there is none.
    /// - Parameter goesOn: whether `bytes` is the rest of a word rather than its beginning.
    func longestPrefix(of bytes: ArraySlice<UInt8>, goesOn: Bool) -> (id: Int32, length: Int)? {
        let table = goesOn ? further : first
        var length = min(bytes.count, table.longest)
        while length > 0 {
            let isBoundary = length == bytes.count || bytes[bytes.startIndex + length] & 0xC0 != 0x80
            if isBoundary, let id = Self.find(bytes.prefix(length), text, ranges, table) { return (id, length) }
            length -= 1
        }
        return nil
    }

    private static func special(_ piece: String, _ text: [UInt8], _ ranges: [Range<Int32>], _ table: Table) throws -> Int32 {
        guard let id = find(Array(piece.utf8)[...], text, ranges, table) else { throw ModelError("vocab.txt lacks \(piece)") }
        return id
    }

    private static func table(_ text: [UInt8], _ ranges: [Range<Int32>], _ isFurther: [Bool], of kind: Bool) -> Table {
        let ids = ranges.indices.filter { isFurther[$0] == kind && !ranges[$0].isEmpty }
        var size = 16
        while size < ids.count * 2 { size *= 2 }
        var table = Table(slots: [Int32](repeating: -1, count: size))
        for id in ids {
            let piece = text[Int(ranges[id].lowerBound) ..< Int(ranges[id].upperBound)]
            var slot = Int(hash(piece) & UInt64(size - 1))
            while table.slots[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            table.slots[slot] = Int32(id)
            table.longest = max(table.longest, piece.count)
        }
        return table
    }

    private static func find(_ piece: ArraySlice<UInt8>, _ text: [UInt8], _ ranges: [Range<Int32>], _ table: Table) -> Int32? {
        let mask = table.slots.count - 1
        var slot = Int(hash(piece) & UInt64(mask))
        while table.slots[slot] >= 0 {
            let id = table.slots[slot]
            let range = ranges[Int(id)]
            let held = text[Int(range.lowerBound) ..< Int(range.upperBound)]
            if held.count == piece.count, held.elementsEqual(piece) { return id }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// FNV-1a, 64 bits. The table's content is fixed, so hostile texts cannot lengthen its chains.
    private static func hash(_ piece: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in piece { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash ^ hash >> 32
    }
}
