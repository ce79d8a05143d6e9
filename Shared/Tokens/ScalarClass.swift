/// What the patterns of the vocabularies tell apart.
struct ScalarClass: OptionSet {
    let rawValue: UInt8

    /// Lu and Lt.
    static let upper = ScalarClass(rawValue: 1)
    /// Ll.
    static let lower = ScalarClass(rawValue: 2)
    /// Lm and Lo.
    static let caseless = ScalarClass(rawValue: 4)
    /// M.
    static let mark = ScalarClass(rawValue: 8)
    /// N.
    static let number = ScalarClass(rawValue: 16)
    /// White_Space, line ends included.
    static let space = ScalarClass(rawValue: 32)
    /// Carriage return and line feed.
    static let lineEnd = ScalarClass(rawValue: 64)

    static let letter: ScalarClass = [.upper, .lower, .caseless]
    /// What o200k_base takes for the beginning of a word, and for the rest of it.
    static let head: ScalarClass = [.upper, .caseless, .mark]
    static let tail: ScalarClass = [.lower, .caseless, .mark]

    @inline(__always)
    func isOne(of classes: ScalarClass) -> Bool { rawValue & classes.rawValue != 0 }

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Of a byte below 0x80.
    init(ascii byte: UInt8) {
        switch byte {
        case UInt8(ascii: "a") ... UInt8(ascii: "z"): self = .lower
        case UInt8(ascii: "A") ... UInt8(ascii: "Z"): self = .upper
        case UInt8(ascii: "0") ... UInt8(ascii: "9"): self = .number
        case UInt8(ascii: "\n"), UInt8(ascii: "\r"): self = [.space, .lineEnd]
        case UInt8(ascii: " "), UInt8(ascii: "\t"), 0x0b, 0x0c: self = .space
        default: self = []
        }
    }

    /// Of any scalar.
    init(_ scalar: Unicode.Scalar) {
        switch scalar.value {
        case 0 ..< 0x80: self.init(ascii: UInt8(truncatingIfNeeded: scalar.value))
        case 0x4e00 ... 0x9fff, 0xac00 ... 0xd7a3: self = .caseless
        case 0x85, 0xa0, 0x1680, 0x2000 ... 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000: self = .space
        // Published vocabularies were made with Unicode 16: what came later was no letter to them.
        case 0x860... where scalar.properties.age.map({ $0.major > 16 }) ?? true: self = []
        default:
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .titlecaseLetter: self = .upper
            case .lowercaseLetter: self = .lower
            case .modifierLetter, .otherLetter: self = .caseless
            case .nonspacingMark, .spacingMark, .enclosingMark: self = .mark
            case .decimalNumber, .letterNumber, .otherNumber: self = .number
            default: self = []
            }
        }
    }
}
