import BulkheadJSON
import NIOCore

/// A JSON document in the form of RFC 8785: the same bytes for the same values, however they are spelled. Handed on in pieces, so
/// that a long document is hashed without a second copy of it.
///
/// Beyond the RFC integers keep all their digits: those above 2^53 are different when their texts are.
package struct CanonicalJSON {
    /// Bytes that are gathered before they are handed on.
    private static let pieceBytes = 4096

    private let emit: (UnsafeRawBufferPointer) -> Void
    private var piece: [UInt8] = []
    /// Numbers of the document that a double may not hold exactly, in their order.
    private let wide: [String?]

    /// Hands the canonical form of `body` to `emit`, in pieces.
    /// - Returns: false, with nothing handed on, when `body` is no acceptable document.
    package static func write(_ body: ByteBuffer, to emit: (UnsafeRawBufferPointer) -> Void) -> Bool {
        withoutActuallyEscaping(emit) { emit in
            let isRead: Void? = try? JSONView.read(body, or: NotJSON()) { document throws(NotJSON) in
                let needsText = Self.wideCount(document) > 0
                var writer = CanonicalJSON(emit: emit, wide: needsText ? WideNumbers.texts(body) : [])
                writer.value(document, wideBefore: 0)
                writer.flush()
            }
            return isRead != nil
        }
    }

    /// The canonical form as text; nil when `body` is no acceptable document.
    package static func text(_ body: ByteBuffer) -> String? {
        var bytes: [UInt8] = []
        return write(body) { bytes.append(contentsOf: $0) } ? String(decoding: bytes, as: UTF8.self) : nil
    }

    private struct NotJSON: Error {}

    private init(emit: @escaping (UnsafeRawBufferPointer) -> Void, wide: [String?]) {
        self.emit = emit
        self.wide = wide
        piece.reserveCapacity(Self.pieceBytes + 64)
    }

    // The parser bounds the depth.
    private mutating func value(_ view: JSONView, wideBefore: Int) {
        if view.isObject { return object(view, wideBefore) }
        if view.isArray { return array(view, wideBefore) }
        if let text = view.string { return string(text) }
        switch view.json {
        case .bool(let flag): add(flag ? "true" : "false")
        case .int(let number): add(String(number))
        case .uint(let number): add(String(number))
        case .double(let number):
            let text = WideNumbers.isWide(number) && wide.indices.contains(wideBefore) ? wide[wideBefore] : nil
            add(text ?? CanonicalNumber.text(number))
        default: add("null")
        }
    }

    private mutating func array(_ view: JSONView, _ wideBefore: Int) {
        add("[")
        var (isFirst, before) = (true, wideBefore)
        for element in view.elements {
            if !isFirst { add(",") }
            isFirst = false
            value(element, wideBefore: before)
            if !wide.isEmpty { before += Self.wideCount(element) }
        }
        add("]")
    }

    private mutating func object(_ view: JSONView, _ wideBefore: Int) {
        var members: [(name: String, value: JSONView, before: Int)] = []
        var before = wideBefore
        for (name, value) in view.members {
            members.append((name.string, value, before))
            if !wide.isEmpty { before += Self.wideCount(value) }
        }
        // RFC 8785 §3.2.3: by UTF-16 code units.
        members.sort { $0.name.utf16.lexicographicallyPrecedes($1.name.utf16) }
        add("{")
        for (index, member) in members.enumerated() {
            if index > 0 { add(",") }
            string(member.name)
            add(":")
            value(member.value, wideBefore: member.before)
        }
        add("}")
    }

    /// Numbers in `view` of which the text is to be looked up.
    private static func wideCount(_ view: JSONView) -> Int {
        if view.isArray { return view.elements.reduce(0) { $0 + wideCount($1) } }
        if view.isObject { return view.members.reduce(0) { $0 + wideCount($1.value) } }
        guard case .double(let number) = view.number else { return 0 }
        return WideNumbers.isWide(number) ? 1 : 0
    }

    // MARK: bytes

    private mutating func string(_ text: String) {
        piece.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
                piece.append(byte)
            } else {
                escape(byte)
            }
            if piece.count >= Self.pieceBytes { flush() }
        }
        piece.append(UInt8(ascii: "\""))
    }

    /// RFC 8785 §3.2.2.2.
    private mutating func escape(_ byte: UInt8) {
        piece.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: piece.append(UInt8(ascii: "b"))
        case 0x09: piece.append(UInt8(ascii: "t"))
        case 0x0a: piece.append(UInt8(ascii: "n"))
        case 0x0c: piece.append(UInt8(ascii: "f"))
        case 0x0d: piece.append(UInt8(ascii: "r"))
        case ..<0x20: piece.append(contentsOf: "u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
        default: piece.append(byte)
        }
    }

    private mutating func add(_ text: String) {
        piece.append(contentsOf: text.utf8)
        if piece.count >= Self.pieceBytes { flush() }
    }

    private mutating func flush() {
        piece.withUnsafeBytes(emit)
        piece.removeAll(keepingCapacity: true)
    }
}

extension JSONView {
    /// The number, or nil for any other type, without reading what is none.
    fileprivate var number: JSON? { double == nil ? nil : json }
}
