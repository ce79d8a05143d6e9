/// Tells JSON from other bytes by the grammar of RFC 8259 alone; what values mean is not its business.
struct JSONGrammar {
    struct Verdict {
        var isJSON = false
        var depth = 0
        /// An escape that may be half of a surrogate pair.
        var hasSurrogate = false
    }

    private let bytes: [UInt8]
    private var at = 0
    private var verdict = Verdict()
    /// What is open: the brackets that close it.
    private var open: [UInt8] = []

    static func judge(_ bytes: [UInt8]) -> Verdict {
        var grammar = JSONGrammar(bytes: bytes)
        grammar.verdict.isJSON = String(validating: bytes, as: UTF8.self) != nil && grammar.document()
        return grammar.verdict
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var here: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func takes(_ byte: Character) -> Bool {
        guard here == byte.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func skip(_ isIn: (UInt8) -> Bool) -> Int {
        let start = at
        while let byte = here, isIn(byte) { at += 1 }
        return at - start
    }

    private mutating func space() { _ = skip { [0x20, 0x09, 0x0a, 0x0d].contains($0) } }

    /// Not recursive: how deep a document nests is its author's choice.
    private mutating func document() -> Bool {
        repeat {
            guard beginning(), end() else { return false }
        } while !open.isEmpty
        space()
        return at == bytes.count
    }

    /// All up to the end of the next scalar, or of an empty list or object.
    private mutating func beginning() -> Bool {
        while true {
            space()
            guard let bracket = here, bracket == UInt8(ascii: "[") || bracket == UInt8(ascii: "{") else { return scalar() }
            at += 1
            verdict.depth = max(verdict.depth, open.count + 1)
            // Closing brackets come two after their opening ones.
            let closing = bracket + 2
            space()
            if here == closing {
                at += 1
                return true
            }
            open.append(closing)
            if closing == UInt8(ascii: "}"), !name() { return false }
        }
    }

    /// All that ends behind a value, or the comma and the name before the next one.
    private mutating func end() -> Bool {
        while let closing = open.last {
            space()
            if takes(",") { return closing != UInt8(ascii: "}") || name() }
            guard here == closing else { return false }
            at += 1
            open.removeLast()
        }
        return true
    }

    private mutating func scalar() -> Bool {
        here == UInt8(ascii: "\"") ? string() : word("true") || word("false") || word("null") || number()
    }

    private mutating func word(_ text: String) -> Bool {
        guard bytes[at...].starts(with: text.utf8) else { return false }
        at += text.utf8.count
        return true
    }

    private mutating func name() -> Bool {
        space()
        guard string() else { return false }
        space()
        return takes(":")
    }

    private mutating func number() -> Bool {
        let isDigit: (UInt8) -> Bool = { (48 ... 57).contains($0) }
        _ = takes("-")
        if !takes("0"), skip(isDigit) == 0 { return false }
        if takes("."), skip(isDigit) == 0 { return false }
        guard takes("e") || takes("E") else { return true }
        _ = takes("+") || takes("-")
        return skip(isDigit) > 0
    }

    private mutating func string() -> Bool {
        guard takes("\"") else { return false }
        while let byte = here {
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): if !escape() { return false }
            case ..<0x20: return false
            default: break
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let kind = here else { return false }
        at += 1
        guard kind == UInt8(ascii: "u") else { return "\"\\/bfnrt".utf8.contains(kind) }
        guard at + 4 <= bytes.count, let code = UInt32(String(decoding: bytes[at ..< at + 4], as: UTF8.self), radix: 16),
            here != UInt8(ascii: "+"), here != UInt8(ascii: "-")
        else { return false }
        if (0xd800 ... 0xdfff).contains(code) { verdict.hasSurrogate = true }
        at += 4
        return true
    }
}
