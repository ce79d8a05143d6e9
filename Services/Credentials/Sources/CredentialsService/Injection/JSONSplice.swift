import BulkheadCore
import BulkheadJSON
import NIOCore

/// Puts a string into a JSON document without touching the rest of it: numbers keep their digits, members their order.
///
/// The document is checked by the parser first; what walks over it here relies on that.
struct JSONSplice {
    private static let maxDepth = 64
    private let bytes: [UInt8]
    private let pointer: JSONPointer
    private var place = 0
    /// What is to be replaced, and by what beside the value.
    private var found: (range: Range<Int>, before: [UInt8])?

    /// The document with `value`, a string with its quotes, at the pointer. A member that is not there yet is added to its object.
    /// - Throws: INVALID_ARGUMENT: it is no JSON document, an object in it has a name twice, or it has no such place.
    static func replace(_ body: ByteBuffer, at pointer: JSONPointer, with value: SecretBytes) throws(CallError) -> ByteBuffer {
        let isContainer: Bool
        do {
            switch try JSON.parse(body, maxDepth: maxDepth) {
            case .object, .array: isContainer = true
            default: isContainer = false
            }
        } catch {
            throw refusal("is no JSON document that can be read: \(error)")
        }
        guard isContainer else { throw refusal("is neither a JSON object nor an array") }
        var splice = JSONSplice(bytes: Array(buffer: body), pointer: pointer)
        try splice.value(onWay: 0)
        guard let (range, before) = splice.found else {
            throw refusal("has no place for the secret where the destination wants it")
        }
        var made = ByteBuffer()
        made.reserveCapacity(body.readableBytes + value.count + before.count)
        made.writeBytes(splice.bytes[..<range.lowerBound])
        made.writeBytes(before)
        value.withBytes { _ = made.writeBytes($0) }
        made.writeBytes(splice.bytes[range.upperBound...])
        return made
    }

    private init(bytes: [UInt8], pointer: JSONPointer) {
        self.bytes = bytes
        self.pointer = pointer
    }

    private static func refusal(_ what: String) -> CallError {
        CallError(.invalidArgument, reason: "invalid_request", message: "the body \(what)", notProcessed: true)
    }

    // MARK: the walk; each function begins at its part's first byte and ends behind its last

    /// - Parameter onWay: how many steps of the pointer led here; nil aside of its way.
    private mutating func value(onWay step: Int?) throws(CallError) {
        blanks()
        let start = place
        switch bytes[place] {
        case UInt8(ascii: "{"): try object(step)
        case UInt8(ascii: "["): try array(step)
        case UInt8(ascii: "\""): string()
        default: while place < bytes.count, !",]} \t\r\n".utf8.contains(bytes[place]) { place += 1 }
        }
        if step == pointer.steps.count { found = (start ..< place, []) }
        blanks()
    }

    private mutating func object(_ step: Int?) throws(CallError) {
        let wanted = step.flatMap { $0 < pointer.steps.count ? pointer.steps[$0] : nil }
        var names: Set<[UInt8]> = []
        place += 1
        blanks()
        while bytes[place] != UInt8(ascii: "}") {
            let name = try self.name()
            guard names.insert(name).inserted else { throw Self.refusal("has an object with a name twice") }
            blanks()
            place += 1
            let isOnWay = wanted.map { $0.utf8.elementsEqual(name) } ?? false
            try value(onWay: isOnWay ? step.map { $0 + 1 } : nil)
            if bytes[place] == UInt8(ascii: ",") {
                place += 1
                blanks()
            }
        }
        if let step, let wanted, step + 1 == pointer.steps.count, found == nil {
            var quoted = ByteBuffer()
            JSONWriter.append(to: &quoted) { $0.value(wanted) }
            let name = Array(buffer: quoted) + [UInt8(ascii: ":")]
            found = (place ..< place, (names.isEmpty ? [] : [UInt8(ascii: ",")]) + name)
        }
        place += 1
    }

    private mutating func array(_ step: Int?) throws(CallError) {
        let wanted = step.flatMap { $0 < pointer.steps.count ? JSONPointer.index(pointer.steps[$0]) : nil }
        var index = 0
        place += 1
        blanks()
        while bytes[place] != UInt8(ascii: "]") {
            try value(onWay: index == wanted ? step.map { $0 + 1 } : nil)
            index += 1
            if bytes[place] == UInt8(ascii: ",") { place += 1 }
        }
        place += 1
    }

    private mutating func string() {
        place += 1
        while bytes[place] != UInt8(ascii: "\"") { place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1 }
        place += 1
    }

    /// A member's name, unescaped.
    private mutating func name() throws(CallError) -> [UInt8] {
        let start = place
        string()
        let quoted = bytes[start ..< place]
        guard quoted.contains(UInt8(ascii: "\\")) else { return Array(quoted.dropFirst().dropLast()) }
        do {
            // A string alone is no document for every parser: an array of it is.
            let text = try JSON.parse(ByteBuffer(bytes: [UInt8(ascii: "[")] + quoted + [UInt8(ascii: "]")]))
            return Array((text[0]?.string ?? "").utf8)
        } catch {
            throw Self.refusal("has a name that cannot be read")
        }
    }

    private mutating func blanks() {
        while place < bytes.count, " \t\r\n".utf8.contains(bytes[place]) { place += 1 }
    }
}
