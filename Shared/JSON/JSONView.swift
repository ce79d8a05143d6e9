import CBulkheadJSON
import NIOCore

/// A value of a parsed document, read where the parser left it: what nobody asks for costs nothing. For documents of which a few
/// members are wanted; it says the same as the `JSON` of that value, and throws for the same documents.
///
/// It refers to memory of the parser and must not leave the closure it was given to.
@usableFromInline
package struct JSONView {
    private let tape: Tape
    private let index: Int

    fileprivate init(_ tape: Tape, _ index: Int) {
        self.tape = tape
        self.index = index
    }

    /// Reads exactly one document: all readable bytes.
    /// - Parameters:
    ///   - maxDepth: as for `JSON.parse`.
    ///   - failure: what is thrown for bytes that are not an acceptable document.
    ///   - body: gets the document; other documents may be read meanwhile.
    @inlinable
    package static func read<Value, Failure: Error>(
        _ bytes: ByteBuffer, maxDepth: Int = 64, or failure: @autoclosure () -> Failure,
        _ body: (JSONView) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try bytes.withUnsafeReadableBytes { (pointer) throws(Failure) -> Value in
            guard let document = JSONDocument(pointer, maxDepth: maxDepth) else { throw failure() }
            defer { document.close() }
            return try body(document.root)
        }
    }
}

/// An open document: its parser is nobody else's until it is closed.
@usableFromInline
struct JSONDocument {
    let tape: Tape
    private let parser: UnsafeMutableRawPointer

    /// Opens a document that may hold more than its limits allow.
    init(unchecked bytes: UnsafeRawBufferPointer, maxDepth: Int) throws(JSONError) {
        var document = bulkhead_json_document()
        let code = bulkhead_json_parse(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &document)
        guard code == 0, let words = document.tape, let strings = document.strings, let parser = document.parser else {
            throw JSONError(code: code, maxDepth: maxDepth)
        }
        tape = Tape(words: words, strings: strings)
        self.parser = parser
    }

    /// Opens a document within its limits; nil for other bytes.
    @usableFromInline
    init?(_ bytes: UnsafeRawBufferPointer, maxDepth: Int) {
        let limit = min(maxDepth, JSON.deepestNesting)
        guard let document = try? JSONDocument(unchecked: bytes, maxDepth: limit) else { return nil }
        self = document
        guard tape.isWithin(maxDepth: limit, mayHaveTooManyValues: bytes.count > JSON.mostValues) else {
            close()
            return nil
        }
    }

    @usableFromInline
    var root: JSONView { JSONView(tape, Tape.root) }

    @usableFromInline
    func close() { bulkhead_json_release(parser) }
}

extension JSONView {
    /// True for `null` only.
    package var isNull: Bool { tape.type(index) == UInt8(ascii: "n") }
    /// True for an object.
    package var isObject: Bool { tape.type(index) == UInt8(ascii: "{") }
    /// True for an array.
    package var isArray: Bool { tape.type(index) == UInt8(ascii: "[") }
    /// True for an array without elements.
    package var isEmptyArray: Bool { isArray && elements.isEmpty }

    /// The boolean, or nil for any other type.
    package var bool: Bool? {
        switch tape.type(index) {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    /// As `JSON.int`.
    package var int: Int? { number?.int }
    /// As `JSON.double`.
    package var double: Double? { number?.double }

    private var number: JSON? {
        switch tape.type(index) {
        case UInt8(ascii: "l"), UInt8(ascii: "u"), UInt8(ascii: "d"): json
        default: nil
        }
    }

    /// The string, or nil for any other type.
    package var string: String? { spelling?.string }

    /// The string where it stands, for comparing; nil for any other type.
    package var spelling: JSONSpelling? {
        tape.type(index) == UInt8(ascii: "\"") ? JSONSpelling(tape.text(index)) : nil
    }

    /// The value by itself.
    package var json: JSON {
        var reader = TapeReader(tape, at: index, maxDepth: JSON.deepestNesting)
        guard let json = try? reader.value(depth: 0) else { preconditionFailure("bug: a part of a checked document is refused") }
        return json
    }

    /// The member called `name`, of several the last; nil if there is none or if this is not an object.
    package subscript(_ name: StaticString) -> JSONView? {
        guard isObject else { return nil }
        var found: Int?
        var next = index + 1
        let end = tape.next(index) - 1
        while next < end {
            if JSONSpelling(tape.text(next)) == name { found = next + 1 }
            next = tape.next(next + 1)
        }
        return found.map { JSONView(tape, $0) }
    }

    /// The elements; none if this is not an array.
    package var elements: JSONElements {
        isArray ? JSONElements(tape, index + 1, tape.next(index) - 1) : JSONElements(tape, index, index)
    }

    /// The pairs in order, repeated names included; none if this is not an object.
    package var members: JSONMembers {
        isObject ? JSONMembers(tape, index + 1, tape.next(index) - 1) : JSONMembers(tape, index, index)
    }
}

/// The elements of an array. Valid as long as the view they come from.
package struct JSONElements: Sequence, IteratorProtocol {
    private let tape: Tape?
    private var index: Int
    private let end: Int

    fileprivate init(_ tape: Tape? = nil, _ index: Int = 0, _ end: Int = 0) {
        self.tape = tape
        self.index = index
        self.end = end
    }

    /// True if none is left.
    package var isEmpty: Bool { index >= end }

    /// The element, if it is the only one left.
    package var only: JSONView? {
        var rest = self
        guard let first = rest.next(), rest.isEmpty else { return nil }
        return first
    }

    package mutating func next() -> JSONView? {
        guard index < end, let tape else { return nil }
        defer { index = tape.next(index) }
        return JSONView(tape, index)
    }
}

/// The pairs of an object. Valid as long as the view they come from.
package struct JSONMembers: Sequence, IteratorProtocol {
    private let tape: Tape
    private var index: Int
    private let end: Int

    fileprivate init(_ tape: Tape, _ index: Int, _ end: Int) {
        self.tape = tape
        self.index = index
        self.end = end
    }

    /// True if none is left.
    package var isEmpty: Bool { index >= end }

    package mutating func next() -> (name: JSONSpelling, value: JSONView)? {
        guard index < end else { return nil }
        defer { index = tape.next(index + 1) }
        return (JSONSpelling(tape.text(index)), JSONView(tape, index + 1))
    }
}

extension JSONView? {
    /// The elements; none if this is absent or not an array.
    package var elements: JSONElements { self?.elements ?? JSONElements() }
}
