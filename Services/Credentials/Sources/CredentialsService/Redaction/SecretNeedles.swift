import Glibc

/// The forms in which a secret may come back: raw, base64 at its three offsets in both alphabets, hexadecimal,
/// percent-encoded and JSON-escaped. Other transformations by an upstream are not found.
package final class SecretNeedles: Sendable {
    /// The needles, longest first, so that a form that contains another is replaced as a whole.
    let all: [SecretBytes]
    /// Length of the longest.
    let longest: Int
    private let shortest: Int
    private let shifts: [UInt8]
    /// Whether a needle begins with the byte.
    private let firsts: [Bool]

    /// What stands in the place of a secret.
    package static let replacement = Array("[redacted]".utf8)
    /// Shorter needles would be found in ordinary text.
    private static let minBytes = 8

    /// - Parameter isPair: the secret is `user:password`, and the password alone is to be found as well.
    package init(_ secret: [UInt8], isPair: Bool = false) {
        var forms = Self.forms(of: secret)
        if isPair, let colon = secret.firstIndex(of: UInt8(ascii: ":")) {
            forms.formUnion(Self.forms(of: Array(secret[(colon + 1)...])))
        }
        let sorted = forms.filter { $0.count >= Self.minBytes }.sorted { ($1.count, $0.first ?? 0) < ($0.count, $1.first ?? 0) }
        all = sorted.map { SecretBytes($0) }
        longest = sorted.first?.count ?? 0
        shortest = sorted.last?.count ?? 0
        shifts = shortest >= 2 ? Self.shifts(sorted, shortest) : []
        var firsts = [Bool](repeating: false, count: 256)
        for form in sorted { firsts[Int(form[0])] = true }
        self.firsts = firsts
    }

    private static func forms(of secret: [UInt8]) -> Set<[UInt8]> {
        var forms: Set<[UInt8]> = [secret]
        for shift in 0 ... 2 {
            let core = Base64.core(secret, shift: shift)
            forms.insert(core)
            forms.insert(Base64.urlSafe(core))
        }
        for digits in ["0123456789abcdef", "0123456789ABCDEF"].map({ Array($0.utf8) }) {
            forms.insert(secret.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
        }
        forms.insert(PercentEncoding.encode(secret))
        forms.insert(PercentEncoding.encode(secret, lowercase: true))
        forms.insert(jsonEscaped(secret, slashes: false))
        forms.insert(jsonEscaped(secret, slashes: true))
        return forms
    }

    private static func jsonEscaped(_ secret: [UInt8], slashes: Bool) -> [UInt8] {
        secret.flatMap { byte -> [UInt8] in
            let isEscaped = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || slashes && byte == UInt8(ascii: "/")
            return isEscaped ? [UInt8(ascii: "\\"), byte] : [byte]
        }
    }

    /// The leftmost needle in `bytes` at or after `start`, the longest of those that begin there.
    func find(in bytes: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        guard let base = bytes.baseAddress, shortest >= 2 else { return nil }
        return shifts.withUnsafeBufferPointer { shifts in
            var place = start
            while place + shortest <= bytes.count {
                let last = place + shortest - 1
                let shift = Int(shifts[Self.block(bytes[last - 1], bytes[last])])
                if shift == 0, let length = needle(at: base + place, bytes.count - place) { return place ..< place + length }
                place += max(1, shift)
            }
            return nil
        }
    }

    private func needle(at place: UnsafeRawPointer, _ available: Int) -> Int? {
        all.first { needle in
            needle.count <= available && needle.withBytes { memcmp(place, $0.baseAddress ?? place, $0.count) == 0 }
        }?.count
    }

    /// How far a window of the shortest needle's length may move, by its last two bytes (Wu and Manber, "A fast algorithm for
    /// multi-pattern searching", 1994). Pairs share entries by a hash; an entry is never too large.
    private static func shifts(_ needles: [[UInt8]], _ shortest: Int) -> [UInt8] {
        var shifts = [UInt8](repeating: UInt8(clamping: shortest - 1), count: 4096)
        for needle in needles {
            for index in 0 ..< shortest - 1 {
                let entry = block(needle[index], needle[index + 1])
                shifts[entry] = min(shifts[entry], UInt8(clamping: shortest - 2 - index))
            }
        }
        return shifts
    }

    private static func block(_ first: UInt8, _ second: UInt8) -> Int { (Int(first) << 4 ^ Int(second)) & 4095 }

    /// Where the longest end of `bytes` (from `start` on) begins that more bytes could turn into a needle; `bytes.count` when
    /// there is none.
    func liveSuffix(of bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = bytes.baseAddress else { return bytes.count }
        var place = max(start, bytes.count - longest + 1)
        while place < bytes.count {
            if firsts[Int(bytes[place])] {
                let length = bytes.count - place
                let isLive = all.contains { needle in
                    needle.count > length && needle.withBytes { memcmp(base + place, $0.baseAddress ?? base, length) == 0 }
                }
                if isLive { return place }
            }
            place += 1
        }
        return bytes.count
    }
}
