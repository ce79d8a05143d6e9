import BulkheadJSON
import NIOCore

/// What is read as JSON is JSON, within the limits, and is the same when it is written and read again.
///
/// Input: a byte for the limit of nesting, then the document.
enum JSONCheck {
    private static let depths = [64, 1, 2, 3, 8, JSON.deepestNesting]

    static func check(_ input: some Sequence<UInt8>) throws {
        var input = InputBytes(input)
        let limit = input.choice(of: depths)
        let bytes = input.takeRest()
        switch parse(bytes, JSON.deepestNesting) {
        case .success(let value): try check(value, bytes, limit)
        case .failure(let error): try check(error, bytes, limit)
        }
    }

    private static func parse(_ bytes: [UInt8], _ maxDepth: Int) -> Result<JSON, JSONError> {
        Result { () throws(JSONError) -> JSON in try JSON.parse(ByteBuffer(bytes: bytes), maxDepth: maxDepth) }
    }

    private static func check(_ value: JSON, _ bytes: [UInt8], _ limit: Int) throws {
        let grammar = JSONGrammar.judge(bytes)
        try promise(grammar.isJSON, "read, though it is no JSON: \(value)")
        try promise(grammar.depth == depth(of: value), "nests \(grammar.depth) levels deep, read as \(depth(of: value))")
        let limited = parse(bytes, limit)
        let expected: Result<JSON, JSONError> = grammar.depth <= limit ? .success(value) : .failure(.depth(limit: limit))
        try promise(limited == expected, "\(limited) within \(limit) levels, where \(grammar.depth) are needed")
        if let text = String(validating: bytes, as: UTF8.self) {
            try promise((try? JSON.parse(text, maxDepth: JSON.deepestNesting)) == value, "not the same as text: \(value)")
        }
        let written = value.bytes()
        try promise(written.readableBytes <= 6 * bytes.count, "\(bytes.count) bytes became \(written.readableBytes)")
        try promise((try? JSON.parse(written, maxDepth: JSON.deepestNesting)) == value, "written, it is not \(value)")
        try promise(parse(bytes, JSON.deepestNesting) == .success(value), "read twice, it is not \(value)")
        try checkLookups(value)
        let refusal = Finding("no view of what is JSON")
        try JSONView.read(ByteBuffer(bytes: bytes), maxDepth: JSON.deepestNesting, or: refusal) { (view) throws(Finding) in
            try ViewCheck.check(view, value)
        }
        try promise(ViewCheck.isReadable(bytes, limit) == (grammar.depth <= limit), "a view within \(limit) levels: \(value)")
    }

    /// A refusal stands, and has a reason.
    private static func check(_ error: JSONError, _ bytes: [UInt8], _ limit: Int) throws {
        if case .success(let value) = parse(bytes, limit) {
            throw Finding("\(error), but within \(limit) levels it is \(value)")
        }
        try promise(!ViewCheck.isReadable(bytes, JSON.deepestNesting), "\(error), but there is a view")
        let grammar = JSONGrammar.judge(bytes)
        guard grammar.isJSON else { return }
        let isRight =
            switch error {
            case .depth: grammar.depth > JSON.deepestNesting
            // Beyond what a double holds, and half a surrogate pair.
            case .number: bytes.contains(UInt8(ascii: "e")) || bytes.contains(UInt8(ascii: "E")) || bytes.count > 300
            case .string, .encoding: grammar.hasSurrogate
            default: false
            }
        try promise(isRight, "JSON that is refused: \(error)")
    }

    private static func depth(of value: JSON) -> Int {
        switch value {
        case .array(let elements): 1 + (elements.lazy.map(depth).max() ?? 0)
        case .object(let members): 1 + (members.lazy.map { depth(of: $0.value) }.max() ?? 0)
        default: 0
        }
    }

    /// A name that repeats finds its last value.
    private static func checkLookups(_ value: JSON) throws {
        for element in value.array ?? [] { try checkLookups(element) }
        guard let object = value.object else { return }
        for (name, member) in object.suffix(8) {
            let last = object.reversed().first { $0.name == name }?.value
            try promise(value[name] == last, "\(name) is \(String(describing: value[name])), not \(String(describing: last))")
            try checkLookups(member)
        }
    }
}
