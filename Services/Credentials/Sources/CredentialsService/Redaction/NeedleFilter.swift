/// Finds the places of a text where a needle may be, most of them by looking at every tenth byte or so (Wu and Manber, "A fast
/// algorithm for multi-pattern searching", 1994).
///
/// Each needle has an anchor: `window` of its bytes that stand together in every spelling of it. Base64, which may be wrapped, has
/// two: lines are longer than both together, so that one of them is whole.
struct NeedleFilter: Sendable {
    struct Anchor: Sendable {
        /// Which needle.
        let needle: Int
        /// Where it begins in the store.
        let start: Int
    }

    /// Bytes of an anchor; 0 when there is nothing to find.
    let window: Int
    /// How far the window may move on, by its last two bytes. Pairs share entries by a hash; an entry is never too large.
    private let shifts: [UInt8]
    /// Anchors by the entry of their last two bytes: those of entry `e` are at `ends[e - 1] ..< ends[e]`.
    private let anchors: [Anchor]
    private let ends: [UInt32]

    private static let entries = 8192
    /// Two anchors of a wrapped text must fit into its shortest line.
    private static let maxWindow = 30

    /// - Parameters:
    ///   - forms: the bytes of the needles, in their order.
    init(_ forms: [[UInt8]], _ needles: [Needle]) {
        let window = min(Self.maxWindow, needles.map { $0.isWrappable ? $0.count / 2 : $0.count }.min() ?? 0)
        var shifts = [UInt8](repeating: UInt8(clamping: max(1, window - 1)), count: Self.entries)
        var sorted: [(entry: Int, anchor: Anchor)] = []
        for (index, (form, needle)) in zip(forms, needles).enumerated() where window >= 2 {
            for offset in needle.isWrappable ? [0, window] : [0] {
                for step in 0 ..< window - 1 {
                    let entry = Self.entry(form[offset + step], form[offset + step + 1])
                    shifts[entry] = min(shifts[entry], UInt8(window - 2 - step))
                }
                let last = Self.entry(form[offset + window - 2], form[offset + window - 1])
                sorted.append((last, Anchor(needle: index, start: needle.start + offset)))
            }
        }
        sorted.sort { $0.entry < $1.entry }
        var ends = [UInt32](repeating: 0, count: Self.entries)
        for (entry, _) in sorted { ends[entry] += 1 }
        for entry in 1 ..< Self.entries { ends[entry] += ends[entry - 1] }
        self.window = window >= 2 ? window : 0
        self.shifts = shifts
        anchors = sorted.map(\.anchor)
        self.ends = ends
    }

    /// Goes through the text; `look` gets each place where an anchor may be, and says what it found.
    func first(
        in text: UnsafeRawBufferPointer, from start: Int, _ look: (Int, UnsafeBufferPointer<Anchor>) -> Range<Int>?
    ) -> Range<Int>? {
        shifts.withUnsafeBufferPointer { shifts in
            var last = start + window - 1
            while last < text.count {
                let entry = Self.entry(text[last - 1], text[last])
                let shift = Int(shifts[entry])
                if shift == 0 {
                    let found = anchors.withUnsafeBufferPointer {
                        look(
                            last - window + 1,
                            UnsafeBufferPointer(rebasing: $0[Int(entry == 0 ? 0 : ends[entry - 1]) ..< Int(ends[entry])]))
                    }
                    if let found { return found }
                }
                last += max(1, shift)
            }
            return nil
        }
    }

    private static func entry(_ first: UInt8, _ second: UInt8) -> Int { (Int(first) << 5 ^ Int(second)) & (entries - 1) }
}

/// Whether a needle may begin at a place, by its first two bytes.
struct NeedleStarts: Sendable {
    private let firsts: [Bool]
    /// One bit for each pair.
    private let pairs: [UInt64]

    init(_ forms: [[UInt8]], _ needles: [Needle]) {
        var firsts = [Bool](repeating: false, count: 256)
        var pairs = [UInt64](repeating: 0, count: 1024)
        for (form, needle) in zip(forms, needles) {
            firsts[Int(form[0])] = true
            // A base64 text may be wrapped behind its first character.
            for second in [form[1]] + (needle.isWrappable ? Array("\r\n\\".utf8) : []) {
                pairs[Int(form[0]) << 2 | Int(second >> 6)] |= 1 << UInt64(second & 63)
            }
        }
        self.firsts = firsts
        self.pairs = pairs
    }

    func mayBegin(_ text: UnsafeRawBufferPointer, _ place: Int) -> Bool {
        guard firsts[Int(text[place])] else { return false }
        guard place + 1 < text.count else { return true }
        let second = text[place + 1]
        return pairs[Int(text[place]) << 2 | Int(second >> 6)] >> UInt64(second & 63) & 1 == 1
    }
}
