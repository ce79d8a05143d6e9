import HTTPTypes

/// The field `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a String of RFC 8941, or, as most clients send it,
/// the bare key. Parameters behind it say nothing about the key.
package enum IdempotencyKeyField {
    /// The longest key in bytes.
    package static let longest = 255

    /// The key of a request; nil when it has none.
    /// - Throws: `EdgeError` 400 `idempotency_key_invalid`; the value is not quoted.
    static func key(_ headers: RequestHeaders) throws(EdgeError) -> String? {
        guard headers[.idempotencyKey] != nil else { return nil }
        let lines = headers.fields[HTTPField.Name.idempotencyKey.canonicalName]
        guard lines.count == 1 else { throw refusal("stands \(lines.count) times in the request: send it once") }
        return try key(lines[0])
    }

    /// The key in the value of a field.
    /// - Throws: as above.
    package static func key(_ value: String) throws(EdgeError) -> String {
        var bytes = Array(value.utf8)[...]
        trim(&bytes)
        guard bytes.allSatisfy({ (0x20 ... 0x7e).contains($0) }) else {
            throw refusal("holds bytes that are not visible ASCII: use letters, digits and signs")
        }
        let isQuoted = bytes.first == UInt8(ascii: "\"")
        let key = isQuoted ? try quoted(&bytes) : bare(&bytes)
        guard bytes.isEmpty || bytes.first == UInt8(ascii: ";") else {
            throw refusal("is followed by something that is no parameter: send one key")
        }
        guard (1 ... longest).contains(key.count) else {
            throw refusal("has \(key.count) bytes; from 1 to \(longest) are allowed")
        }
        guard key.allSatisfy({ $0 > 0x20 }) else { throw refusal("holds a space; visible ASCII is allowed") }
        return String(decoding: key, as: UTF8.self)
    }

    /// Up to the quote that closes it; a backslash stands before a quote or a backslash (RFC 8941 §4.2.5).
    private static func quoted(_ bytes: inout ArraySlice<UInt8>) throws(EdgeError) -> [UInt8] {
        var key: [UInt8] = []
        bytes.removeFirst()
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return key
            case UInt8(ascii: "\\"):
                guard let next = bytes.popFirst(), next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") else {
                    throw refusal("has a backslash that escapes nothing")
                }
                key.append(next)
            default: key.append(byte)
            }
        }
        throw refusal("begins with a quote and does not end with one")
    }

    /// Up to what cannot be part of a token anywhere.
    private static func bare(_ bytes: inout ArraySlice<UInt8>) -> [UInt8] {
        let key = bytes.prefix { !#"",;\ "#.utf8.contains($0) }
        bytes = bytes.dropFirst(key.count)
        return Array(key)
    }

    private static func trim(_ bytes: inout ArraySlice<UInt8>) {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        bytes = bytes.drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
    }

    private static func refusal(_ what: String) -> EdgeError {
        var error = EdgeError(.badRequest, code: "idempotency_key_invalid", message: "The Idempotency-Key \(what).")
        error.documentation = IdempotencyRefusal.documentation
        return error
    }
}
