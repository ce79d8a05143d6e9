import HeapModule

/// Makes tokens of a piece: as long as two neighbours together are a token, those of the lowest rank become one, the leftmost
/// first.
struct PairMerger {
    private let table: RankTable
    /// Where the parts of the piece begin, and at its end; and the rank of each part joined with the next.
    private var starts: [Int32] = []
    private var ranks: [UInt32] = []

    /// Pieces of more bytes are merged with a heap: n log n instead of n².
    static let longestScanned = 128

    init(_ table: RankTable) { self.table = table }

    /// The parts of `length` bytes at `piece`: where each begins, and the end.
    mutating func parts(_ piece: UnsafePointer<UInt8>, _ length: Int) -> [Int32] {
        if length > Self.longestScanned { return LongMerge(table, piece, length).parts() }
        scan(piece, length)
        return starts
    }

    /// How many parts `length` bytes at `piece` have.
    mutating func count(_ piece: UnsafePointer<UInt8>, _ length: Int) -> Int {
        if length > Self.longestScanned { return LongMerge(table, piece, length).parts().count - 1 }
        scan(piece, length)
        return starts.count - 1
    }

    private mutating func scan(_ piece: UnsafePointer<UInt8>, _ length: Int) {
        starts.removeAll(keepingCapacity: true)
        ranks.removeAll(keepingCapacity: true)
        for index in 0 ..< length {
            starts.append(Int32(index))
            ranks.append(index + 2 <= length ? table.rank(piece + index, 2) : RankTable.none)
        }
        starts.append(Int32(length))
        while let lowest = lowest() {
            starts.remove(at: lowest + 1)
            ranks.remove(at: lowest + 1)
            ranks[lowest] = joined(lowest, piece)
            if lowest > 0 { ranks[lowest - 1] = joined(lowest - 1, piece) }
        }
    }

    /// The first part that makes the lowest token with its neighbour.
    private func lowest() -> Int? {
        var best = RankTable.none
        var place: Int?
        for (index, rank) in ranks.enumerated() where rank < best {
            best = rank
            place = index
        }
        return place
    }

    /// The rank of part `index` joined with the next.
    private func joined(_ index: Int, _ piece: UnsafePointer<UInt8>) -> UInt32 {
        guard index + 2 < starts.count else { return RankTable.none }
        return table.rank(piece + Int(starts[index]), Int(starts[index + 2] - starts[index]))
    }
}

/// The same for long pieces: parts are a list, candidates wait in a heap. Every merge adds at most two candidates, so the heap
/// holds at most three times as many as there are bytes.
private struct LongMerge {
    private let table: RankTable
    private let piece: UnsafePointer<UInt8>
    private let length: Int
    /// By first byte of a part: where the next part begins, where the one before does, the rank joined with the next.
    private var next: [Int32]
    private var previous: [Int32]
    private var ranks: [UInt32]
    /// Rank in the upper half, first byte in the lower: the smallest is the next to merge.
    private var candidates: Heap<UInt64>

    init(_ table: RankTable, _ piece: UnsafePointer<UInt8>, _ length: Int) {
        self.table = table
        self.piece = piece
        self.length = length
        next = (0 ..< Int32(length)).map { $0 + 1 }
        previous = (0 ..< Int32(length)).map { $0 - 1 }
        ranks = (0 ..< length).map { $0 + 2 <= length ? table.rank(piece + $0, 2) : RankTable.none }
        candidates = Heap(
            ranks.enumerated().compactMap { $0.element == RankTable.none ? nil : UInt64($0.element) << 32 | UInt64($0.offset) })
    }

    func parts() -> [Int32] {
        var merge = self
        merge.run()
        var parts: [Int32] = [0]
        while let last = parts.last, Int(last) < length { parts.append(merge.next[Int(last)]) }
        return parts
    }

    private mutating func run() {
        while let candidate = candidates.popMin() {
            let at = Int(candidate & 0xffff_ffff)
            // A part that was swallowed or has another neighbour now has another rank.
            guard ranks[at] == UInt32(candidate >> 32) else { continue }
            let swallowed = Int(next[at])
            ranks[swallowed] = RankTable.none
            next[at] = next[swallowed]
            if Int(next[at]) < length { previous[Int(next[at])] = Int32(at) }
            rank(at)
            if previous[at] >= 0 { rank(Int(previous[at])) }
        }
    }

    /// Ranks the part at `at` anew.
    private mutating func rank(_ at: Int) {
        let neighbour = Int(next[at])
        let rank = neighbour < length ? table.rank(piece + at, Int(next[neighbour]) - at) : RankTable.none
        ranks[at] = rank
        if rank != RankTable.none { candidates.insert(UInt64(rank) << 32 | UInt64(at)) }
    }
}
