/// The tokens of a vocabulary and their ranks: an open hash table over the tokens' bytes, 4.5 MB for 200 000 of them.
///
/// Never changes once made, hence safe to share; the pointers are valid as long as this object.
final class RankTable: Sendable {
    /// The rank of what is no token.
    static let none = UInt32.max
    /// Ranks take the lower bits of a slot, the rest is of the hash. So many tokens fit.
    private static let rankBits: UInt32 = 18
    private static let rankMask: UInt32 = 1 << rankBits - 1

    /// The bytes of all tokens, one after the other, and where each begins.
    private nonisolated(unsafe) let bytes: UnsafeMutablePointer<UInt8>
    private nonisolated(unsafe) let starts: UnsafeMutablePointer<UInt32>
    /// Rank + 1 and bits of the hash; 0 is empty.
    private nonisolated(unsafe) let slots: UnsafeMutablePointer<UInt32>
    private let slotMask: Int
    /// Ranks of the tokens of one and two bytes.
    private nonisolated(unsafe) let singles: UnsafeMutablePointer<UInt32>
    private nonisolated(unsafe) let pairs: UnsafeMutablePointer<UInt32>
    /// Bytes of the longest token.
    let longest: Int
    let count: Int

    /// - Throws: `VocabularyError` when there are too many tokens, or a byte is none.
    init(tokens: [UInt8], starts offsets: [UInt32], name: String) throws {
        count = offsets.count - 1
        guard count > 0, count < Self.rankMask else { throw VocabularyError("\(name) has \(count) tokens") }
        bytes = Self.copy(tokens)
        starts = Self.copy(offsets)
        var capacity = 1024
        while capacity < count * 5 / 2 { capacity *= 2 }
        slotMask = capacity - 1
        slots = Self.filled(capacity, 0)
        singles = Self.filled(256, Self.none)
        pairs = Self.filled(1 << 16, Self.none)
        longest = zip(offsets, offsets.dropFirst()).reduce(0) { max($0, Int($1.1 - $1.0)) }
        for rank in 0 ..< UInt32(count) { insert(rank) }
        guard (0 ..< 256).allSatisfy({ singles[$0] != Self.none }) else {
            throw VocabularyError("\(name) has no token for some byte")
        }
    }

    deinit {
        bytes.deallocate()
        starts.deallocate()
        slots.deallocate()
        singles.deallocate()
        pairs.deallocate()
    }

    private static func copy<Element>(_ array: [Element]) -> UnsafeMutablePointer<Element> {
        let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(1, array.count))
        for (index, element) in array.enumerated() { (pointer + index).initialize(to: element) }
        return pointer
    }

    private static func filled(_ count: Int, _ value: UInt32) -> UnsafeMutablePointer<UInt32> {
        let pointer = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
        pointer.initialize(repeating: value, count: count)
        return pointer
    }

    private func insert(_ rank: UInt32) {
        let start = Int(starts[Int(rank)])
        let length = Int(starts[Int(rank) + 1]) - start
        let token = UnsafePointer(bytes + start)
        if length == 1 { singles[Int(token[0])] = rank }
        if length == 2 { pairs[Int(token[0]) << 8 | Int(token[1])] = rank }
        let hash = Self.hash(token, length)
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while slots[slot] != 0 { slot = (slot + 1) & slotMask }
        slots[slot] = Self.tag(hash) | (rank + 1)
    }

    /// The rank of the token that `length` bytes at `text` are, or `none`.
    @inline(__always)
    func rank(_ text: UnsafePointer<UInt8>, _ length: Int) -> UInt32 {
        if length == 2 { return pairs[Int(text[0]) << 8 | Int(text[1])] }
        if length == 1 { return singles[Int(text[0])] }
        if length > longest { return Self.none }
        let hash = Self.hash(text, length)
        let tag = Self.tag(hash)
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while slots[slot] != 0 {
            let found = slots[slot]
            if found & ~Self.rankMask == tag, isToken(found & Self.rankMask - 1, text, length) {
                return found & Self.rankMask - 1
            }
            slot = (slot + 1) & slotMask
        }
        return Self.none
    }

    @inline(__always)
    private func isToken(_ rank: UInt32, _ text: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        let start = Int(starts[Int(rank)])
        guard Int(starts[Int(rank) + 1]) - start == length else { return false }
        for index in 0 ..< length where bytes[start + index] != text[index] { return false }
        return true
    }

    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash >> 32) & ~rankMask }

    @inline(__always)
    private static func hash(_ text: UnsafePointer<UInt8>, _ length: Int) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: length) &* 0x9e37_79b9_7f4a_7c15
        let raw = UnsafeRawPointer(text)
        var at = 0
        while at + 8 <= length {
            hash = mixed(hash ^ raw.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            at += 8
        }
        var rest: UInt64 = 0
        while at < length {
            rest = rest << 8 | UInt64(text[at])
            at += 1
        }
        return mixed(hash ^ rest)
    }

    @inline(__always)
    private static func mixed(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
        return product.high ^ product.low
    }
}
