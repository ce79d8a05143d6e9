/// Deterministic vectors: the normalised sum of one pseudo-random direction a word, so that similar texts are near.
enum Embedding {
    /// Words beyond this do not count.
    static let mostWords = 256

    static func vector(of text: String, dimensions: Int) -> [Float] {
        var sums = [Float](repeating: 0, count: dimensions)
        let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
        for word in words.isEmpty ? [text[...]] : words.prefix(mostWords) { add(direction: hash(word.utf8), to: &sums) }
        let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return length == 0 ? sums : sums.map { $0 / length }
    }

    private static func add(direction seed: UInt64, to sums: inout [Float]) {
        var state = seed
        for index in sums.indices {
            // An xorshift generator; its signed value spread over -1 to 1.
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            sums[index] += Float(Int32(truncatingIfNeeded: state >> 16)) / Float(Int32.max)
        }
    }

    /// FNV-1a, which must not be zero: the generator would stay there.
    private static func hash(_ bytes: Substring.UTF8View) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } | 1
    }

    /// The vector as base64 of its floats in little-endian order.
    static func base64(_ vector: [Float]) -> String {
        let bytes = vector.flatMap { float in
            let bits = float.bitPattern
            return [
                UInt8(truncatingIfNeeded: bits), UInt8(truncatingIfNeeded: bits >> 8), UInt8(truncatingIfNeeded: bits >> 16),
                UInt8(truncatingIfNeeded: bits >> 24),
            ]
        }
        return encode(bytes)
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = (0 ..< 3).reduce(UInt32(0)) { $0 << 8 | UInt32(start + $1 < bytes.count ? bytes[start + $1] : 0) }
            for place in 0 ..< 4 {
                let isPadding = start + place > bytes.count
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[Int(group >> (18 - 6 * UInt32(place)) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
