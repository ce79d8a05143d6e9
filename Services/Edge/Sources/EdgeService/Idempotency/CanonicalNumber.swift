import NIOCore

/// Doubles as ECMAScript writes them (RFC 8785 §3.2.2.3): the shortest digits that name the value, without an exponent from 1e-6
/// up to 1e21.
package enum CanonicalNumber {
    /// - Parameter number: finite, as all numbers of JSON are.
    package static func text(_ number: Double) -> String {
        if number == 0 { return "0" }
        let (digits, point) = shortest(number.magnitude)
        let sign = number < 0 ? "-" : ""
        let count = digits.count
        if point > 21 || point <= -6 {
            let fraction = count > 1 ? "." + digits.dropFirst() : ""
            return "\(sign)\(digits.prefix(1))\(fraction)e\(point > 0 ? "+" : "-")\(abs(point - 1))"
        }
        if count <= point { return sign + digits + String(repeating: "0", count: point - count) }
        if point > 0 { return "\(sign)\(digits.prefix(point)).\(digits.dropFirst(point))" }
        return "\(sign)0.\(String(repeating: "0", count: -point))\(digits)"
    }

    /// The digits, and where the point stands in them: the value is 0.DIGITS × 10^point. Swift's description has the shortest
    /// digits too, in another layout.
    private static func shortest(_ number: Double) -> (digits: String, point: Int) {
        let halves = number.description.split(separator: "e")
        let parts = halves[0].split(separator: ".", omittingEmptySubsequences: false)
        let (whole, fraction) = (parts[0], parts.count > 1 ? parts[1] : "")
        let all = whole + fraction
        let leading = all.prefix { $0 == "0" }.count
        var digits = all.dropFirst(leading)
        while digits.last == "0" { digits.removeLast() }
        let exponent = halves.count > 1 ? Int(halves[1]) ?? 0 : 0
        return (String(digits), whole.count - leading + exponent)
    }
}

/// Numbers that the parser reads as doubles and that may be integers of more than 64 bits.
enum WideNumbers {
    static func isWide(_ number: Double) -> Bool { number.magnitude >= 0x1p63 }

    /// Of each such number in `body`, in order: its digits if it is written as an integer, else nil.
    /// - Parameter body: a valid document.
    static func texts(_ body: ByteBuffer) -> [String?] {
        body.withUnsafeReadableBytes { bytes in
            var texts: [String?] = []
            var index = 0
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "\""): index = endOfString(bytes, index)
                case UInt8(ascii: "-"), 48 ... 57:
                    let end = bytes[index...].firstIndex { !isNumberByte($0) } ?? bytes.count
                    note(String(decoding: bytes[index ..< end], as: UTF8.self), &texts)
                    index = end
                default: index += 1
                }
            }
            return texts
        }
    }

    private static func note(_ token: String, _ texts: inout [String?]) {
        guard Int64(token) == nil, UInt64(token) == nil, let number = Double(token), isWide(number) else { return }
        texts.append(token.utf8.allSatisfy { $0 == UInt8(ascii: "-") || (48 ... 57).contains($0) } ? token : nil)
    }

    private static func endOfString(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int {
        var index = start + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") { index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1 }
        return index + 1
    }

    private static func isNumberByte(_ byte: UInt8) -> Bool { (48 ... 57).contains(byte) || "-+.eE".utf8.contains(byte) }
}
