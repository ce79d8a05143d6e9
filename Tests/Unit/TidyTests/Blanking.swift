/// Replaces comments and the contents of string literals by blanks, line by line.
///
/// States: code, a line comment, a (nested) block comment, a string, a multi-line string, and code inside an interpolation,
/// which ends at the parenthesis that opened it.
struct Blanking {
    private enum State: Equatable {
        case code
        case interpolation(parentheses: Int)
        case lineComment
        case blockComment(depth: Int)
        case string(hashes: Int, isMultiline: Bool)
    }

    private var states: [State] = [.code]
    private var output: [UInt8] = []
    private let bytes: [UInt8]
    private var at = 0

    static func code(of text: String) -> [String] {
        var blanking = Blanking(bytes: Array(text.utf8))
        while blanking.at < blanking.bytes.count { blanking.step() }
        return String(decoding: blanking.output, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(
            String.init)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private func starts(with text: String) -> Bool { bytes[at...].starts(with: text.utf8) }

    private mutating func take(_ count: Int, blank: Bool) {
        for byte in bytes[at ..< min(at + count, bytes.count)] {
            output.append(blank && byte != UInt8(ascii: "\n") ? UInt8(ascii: " ") : byte)
        }
        at = min(at + count, bytes.count)
    }

    private mutating func step() {
        switch states[states.count - 1] {
        case .code: stepCode(parentheses: nil)
        case .interpolation(let depth): stepCode(parentheses: depth)
        case .lineComment:
            if bytes[at] == UInt8(ascii: "\n") { states.removeLast() }
            take(1, blank: true)
        case .blockComment(let depth): stepBlockComment(depth)
        case .string(let hashes, let isMultiline): stepString(hashes, isMultiline)
        }
    }

    private mutating func stepCode(parentheses: Int?) {
        if starts(with: "//") {
            states.append(.lineComment)
            return take(2, blank: true)
        }
        if starts(with: "/*") {
            states.append(.blockComment(depth: 1))
            return take(2, blank: true)
        }
        let hashes = bytes[at...].prefix { $0 == UInt8(ascii: "#") }.count
        let quote = at + hashes
        if quote < bytes.count, bytes[quote] == UInt8(ascii: "\"") {
            let isMultiline = bytes[quote...].starts(with: "\"\"\"".utf8)
            states.append(.string(hashes: hashes, isMultiline: isMultiline))
            return take(hashes + (isMultiline ? 3 : 1), blank: false)
        }
        if let parentheses {
            if bytes[at] == UInt8(ascii: "(") { states[states.count - 1] = .interpolation(parentheses: parentheses + 1) }
            if bytes[at] == UInt8(ascii: ")") {
                if parentheses == 1 {
                    states.removeLast()
                } else {
                    states[states.count - 1] = .interpolation(parentheses: parentheses - 1)
                }
            }
        }
        take(max(1, hashes), blank: false)
    }

    private mutating func stepBlockComment(_ depth: Int) {
        if starts(with: "/*") {
            states[states.count - 1] = .blockComment(depth: depth + 1)
            return take(2, blank: true)
        }
        guard starts(with: "*/") else { return take(1, blank: true) }
        if depth == 1 { states.removeLast() } else { states[states.count - 1] = .blockComment(depth: depth - 1) }
        take(2, blank: true)
    }

    private mutating func stepString(_ hashes: Int, _ isMultiline: Bool) {
        let marks = String(repeating: "#", count: hashes)
        if starts(with: "\\\(marks)(") {
            states.append(.interpolation(parentheses: 1))
            return take(2 + hashes, blank: false)
        }
        if starts(with: "\\\(marks)") { return take(2 + hashes, blank: true) }
        let end = (isMultiline ? "\"\"\"" : "\"") + marks
        // A string that is not closed ends with its line: better one odd line than a blanked file.
        if starts(with: end) || (!isMultiline && bytes[at] == UInt8(ascii: "\n")) {
            states.removeLast()
            return take(bytes[at] == UInt8(ascii: "\n") ? 1 : end.utf8.count, blank: false)
        }
        take(1, blank: true)
    }
}
