/// The spellings in which an upstream may give a secret back: as it is, percent-encoded, escaped for JSON or HTML, in
/// hexadecimal, in UTF-16 and in base64. Encoders differ in which characters they escape, so each kind comes in several.
struct SecretForms {
    /// Below this a form would be found in ordinary text.
    static let minBytes = 8

    /// Found as they stand.
    private(set) var literals: Set<[UInt8]> = []
    /// Characters of a base64 text, between any two of which the text may be wrapped.
    private(set) var wrappable: Set<[UInt8]> = []

    init(of secret: [UInt8]) {
        guard secret.count >= Self.minBytes else { return }
        literals.insert(secret)
        // As a name of a header, which HTTP/2 writes in small letters.
        literals.insert(secret.map { (65 ... 90).contains($0) ? $0 + 32 : $0 })
        addBase64(secret)
        for digits in [HexDigits.lower, HexDigits.upper] {
            literals.insert(secret.flatMap { digits.pair($0) })
            addPercent(secret, digits)
        }
        addEscapes(secret)
        literals = literals.filter { $0.count >= Self.minBytes }
        wrappable = wrappable.filter { $0.count >= Self.minBytes }
    }

    private mutating func addBase64(_ secret: [UInt8]) {
        // As a text of its own to its end, so that nothing of it is left; as a part of a longer one at each offset.
        let whole = Base64.encode(secret)
        literals.insert(whole)
        literals.insert(Base64.urlSafe(whole))
        for shift in 0 ... 2 {
            let core = Base64.core(secret, shift: shift)
            wrappable.insert(core)
            wrappable.insert(Base64.urlSafe(core))
        }
    }

    private static let alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    /// RFC 3986, and what `encodeURIComponent`, `encodeURI`, HTML forms, PHP and path encoders leave as it is; letters and digits
    /// alone; and nothing at all.
    private static let unescaped =
        ["-._~", "-_.!~*'()", "-_.!~*'();/?:@&=+$,#", "*-._", "-_.", "-._~/", ""].map { Set((alphanumerics + $0).utf8) } + [[]]

    private mutating func addPercent(_ secret: [UInt8], _ digits: HexDigits) {
        for keeps in Self.unescaped {
            literals.insert(
                secret.flatMap { byte -> [UInt8] in
                    keeps.contains(byte) ? [byte] : [UInt8(ascii: "%")] + digits.pair(byte)
                })
        }
    }

    private mutating func addEscapes(_ secret: [UInt8]) {
        // Escapes speak of characters: bytes that are no text have none.
        guard String(validating: secret, as: UTF8.self) != nil else { return }
        let scalars = Array(String(decoding: secret, as: UTF8.self).unicodeScalars)
        for slashes in [false, true] {
            let once = Self.backslashed(secret, slashes: slashes)
            literals.insert(once)
            literals.insert(Self.backslashed(once, slashes: false))
        }
        for digits in [HexDigits.lower, HexDigits.upper] {
            for set in Self.jsonSets {
                for slashes in [false, true] {
                    literals.insert(Self.mapped(scalars, { _ in true }) { Self.jsonEscape($0, set, digits, slashes: slashes) })
                }
            }
            for set in Self.htmlSets {
                literals.insert(Self.mapped(scalars, set) { Array("&#x".utf8) + digits.short($0) + [59] })
            }
        }
        for set in Self.htmlSets { literals.insert(Self.mapped(scalars, set) { Array("&#\($0.value);".utf8) }) }
        for apostrophe in ["&#39;", "&#039;", "&#x27;", "&apos;", "'"] {
            for quote in ["&quot;", "&#34;", "\""] {
                for more in Self.markupBeside {
                    let chooses: Chooses = { Self.isMarkup($0) || more.unicodeScalars.contains($0) }
                    literals.insert(Self.mapped(scalars, chooses) { Self.entity($0, apostrophe: apostrophe, quote: quote) })
                }
            }
        }
        let units = scalars.flatMap { Array($0.utf16) }
        literals.insert(units.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        literals.insert(units.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] })
    }
}

// MARK: which characters an encoder escapes, and how
extension SecretForms {
    private typealias Chooses = @Sendable (Unicode.Scalar) -> Bool

    /// What Go and PHP escape for HTML's sake, what Gson and .NET do, what only ASCII texts need, all but letters and digits, and everything.
    private static let jsonSets: [Chooses] = [
        { "<>&".unicodeScalars.contains($0) || $0.value > 127 }, { "<>&='".unicodeScalars.contains($0) || $0.value > 127 },
        { "<>&'\"".unicodeScalars.contains($0) || $0.value > 127 }, { "<>&'\"+`".unicodeScalars.contains($0) || $0.value > 127 },
        { $0.value > 127 || "\"\\".unicodeScalars.contains($0) },
        { !isAlphanumeric($0) }, { _ in true },
    ]
    private static let htmlSets: [Chooses] = [isMarkup, { !isAlphanumeric($0) }, { _ in true }]
    /// What html/template, OWASP's rules, Handlebars and Mustache escape besides.
    private static let markupBeside = ["", "+", "/", "`=", "/`="]
    private static let isMarkup: Chooses = { "<>&\"'".unicodeScalars.contains($0) }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 48 ... 57, 65 ... 90, 97 ... 122: true
        default: false
        }
    }

    private static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool {
        UInt8(exactly: scalar.value).map { isAlphanumeric($0) } ?? false
    }

    private static func mapped(
        _ scalars: [Unicode.Scalar], _ chooses: Chooses, _ escape: (Unicode.Scalar) -> [UInt8]
    ) -> [UInt8] {
        scalars.flatMap { scalar -> [UInt8] in
            chooses(scalar) ? escape(scalar) : Array(String(scalar).utf8)
        }
    }

    private static func jsonEscape(
        _ scalar: Unicode.Scalar, _ chooses: Chooses, _ digits: HexDigits, slashes: Bool
    ) -> [UInt8] {
        guard chooses(scalar) else { return backslashed(Array(String(scalar).utf8), slashes: slashes) }
        return scalar.utf16.flatMap { unit in
            Array("\\u".utf8) + digits.pair(UInt8(unit >> 8)) + digits.pair(UInt8(unit & 255))
        }
    }

    private static func entity(_ scalar: Unicode.Scalar, apostrophe: String, quote: String) -> [UInt8] {
        switch scalar {
        case "<": Array("&lt;".utf8)
        case ">": Array("&gt;".utf8)
        case "&": Array("&amp;".utf8)
        case "'": Array(apostrophe.utf8)
        case "\"": Array(quote.utf8)
        case "+": Array("&#43;".utf8)
        default: Array("&#x".utf8) + HexDigits.upper.short(scalar) + [UInt8(ascii: ";")]
        }
    }

    private static func backslashed(_ bytes: [UInt8], slashes: Bool) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            let isEscaped = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || slashes && byte == UInt8(ascii: "/")
            return isEscaped ? [UInt8(ascii: "\\"), byte] : [byte]
        }
    }
}

/// Hexadecimal digits of one case.
struct HexDigits: Sendable {
    static let lower = HexDigits("0123456789abcdef")
    static let upper = HexDigits("0123456789ABCDEF")
    private let digits: [UInt8]

    private init(_ digits: String) { self.digits = Array(digits.utf8) }

    /// Both digits of a byte.
    func pair(_ byte: UInt8) -> [UInt8] { [digits[Int(byte >> 4)], digits[Int(byte & 15)]] }

    /// As few digits as the number needs.
    fileprivate func short(_ scalar: Unicode.Scalar) -> [UInt8] {
        var (rest, text) = (scalar.value, [UInt8]())
        repeat {
            text.insert(digits[Int(rest & 15)], at: 0)
            rest >>= 4
        } while rest > 0
        return text
    }
}
