import Glibc

/// The forms in which secrets may come back (`SecretForms`), made ready for finding them. Other transformations by an upstream
/// are not found. Immutable, shared by all answers of a destination.
package final class SecretNeedles: Sendable {
    /// What stands in the place of a secret.
    package static let replacement = Array("[redacted]".utf8)

    /// All needles, one behind the other.
    private let bytes: SecretBytes
    /// Longest first, so that a form that contains another is replaced as a whole.
    private let needles: [Needle]
    private let filter: NeedleFilter
    private let starts: NeedleStarts
    /// How far from the end of a text a needle may begin and still be incomplete.
    private let reach: Int

    /// The needles of one secret.
    /// - Parameter isPair: the secret is `user:password`, and the password alone is to be found as well.
    package convenience init(_ secret: [UInt8], isPair: Bool = false) {
        var secrets = [secret]
        if isPair, let colon = secret.firstIndex(of: UInt8(ascii: ":")) { secrets.append(Array(secret[(colon + 1)...])) }
        self.init(secrets)
    }

    /// The needles of all secrets that an answer may hold. Those shorter than eight bytes are left out: they would be found in
    /// ordinary text.
    package init(_ secrets: [[UInt8]]) {
        var (literals, wrappable) = (Set<[UInt8]>(), Set<[UInt8]>())
        for forms in secrets.map(SecretForms.init(of:)) {
            literals.formUnion(forms.literals)
            wrappable.formUnion(forms.wrappable)
        }
        // What is found as it stands need not be looked for twice, unless it may be wrapped as well.
        literals.subtract(wrappable)
        let sorted =
            (literals.map { ($0, false) } + wrappable.map { ($0, true) })
            .sorted { $1.0.count < $0.0.count || $1.0.count == $0.0.count && $0.0.lexicographicallyPrecedes($1.0) }
        var (joined, needles): ([UInt8], [Needle]) = ([], [])
        for (form, isWrappable) in sorted {
            needles.append(Needle(start: joined.count, count: form.count, isWrappable: isWrappable))
            joined += form
        }
        bytes = SecretBytes(joined)
        self.needles = needles
        filter = NeedleFilter(sorted.map(\.0), needles)
        starts = NeedleStarts(sorted.map(\.0), needles)
        reach = needles.map(\.longestSpelling).max() ?? 0
    }

    /// How many forms are looked for.
    package var count: Int { needles.count }

    /// The leftmost needle in `text` at or after `start`, the longest of those that begin there.
    func find(in text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        guard let base = text.baseAddress, filter.window > 0 else { return nil }
        return bytes.withBytes { secret in
            guard let secret = secret.baseAddress else { return nil }
            return filter.first(in: text, from: start) { place, anchors in
                var found: Range<Int>?
                for anchor in anchors {
                    guard memcmp(base + place, secret + anchor.start, filter.window) == 0 else { continue }
                    let needle = needles[anchor.needle]
                    let begin = needle.beginning(of: anchor, at: place, in: text, notBefore: start, secret)
                    guard let begin, case .whole(let end) = needle.match(text, begin.text, secret, from: begin.element) else {
                        continue
                    }
                    if found.map({ begin.text < $0.lowerBound || begin.text == $0.lowerBound && end > $0.upperBound }) ?? true {
                        found = begin.text ..< end
                    }
                }
                return found
            }
        }
    }

    /// Where the longest end of `text` (from `start` on) begins that more bytes could turn into a needle; `text.count` when
    /// there is none.
    func liveSuffix(of text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var place = max(start, text.count - reach + 1)
        while place < text.count {
            if starts.mayBegin(text, place), isLive(text, at: place, longerThan: 0) { return place }
            place += 1
        }
        return text.count
    }

    /// Whether more bytes could turn the end of `text` from `place` on into a needle of more than `length` bytes.
    func isLive(_ text: UnsafeRawBufferPointer, at place: Int, longerThan length: Int) -> Bool {
        bytes.withBytes { secret in
            guard let secret = secret.baseAddress else { return false }
            let first = text[place]
            return needles.contains { needle in
                guard needle.longestSpelling > length, secret.load(fromByteOffset: needle.start, as: UInt8.self) == first else {
                    return false
                }
                if case .beginning = needle.match(text, place, secret, from: 0) { return true }
                return false
            }
        }
    }
}
