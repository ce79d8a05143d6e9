import BulkheadCore
import NIOCore

/// A field of a body in `application/x-www-form-urlencoded` (WHATWG URL §5).
enum FormField {
    /// The body with a field behind the caller's.
    /// - Parameter pair: `name=value`, encoded.
    /// - Throws: INVALID_ARGUMENT when the caller sets that field itself, or the body is no form.
    static func append(_ pair: SecretBytes, named own: String, to body: ByteBuffer) throws(CallError) -> ByteBuffer {
        var made = ByteBuffer()
        made.reserveCapacity(body.readableBytes + pair.count + 1)
        made.writeImmutableBuffer(body)
        for part in body.readableBytesView.split(separator: UInt8(ascii: "&")) {
            guard let name = decoded(part.prefix { $0 != UInt8(ascii: "=") }) else {
                throw refusal("has a field with an incomplete percent escape")
            }
            if name.elementsEqual(own.utf8) { throw refusal("sets \(own), where the secret goes; leave it out") }
        }
        if body.readableBytes > 0 { made.writeInteger(UInt8(ascii: "&")) }
        pair.withBytes { _ = made.writeBytes($0) }
        return made
    }

    /// nil for an incomplete escape.
    private static func decoded(_ bytes: some Sequence<UInt8>) -> [UInt8]? {
        var (text, rest) = ([UInt8](), Array(bytes)[...])
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                text.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
                continue
            }
            let digits = rest.prefix(2).compactMap(PercentEncoding.digit)
            guard digits.count == 2 else { return nil }
            text.append(digits[0] << 4 | digits[1])
            rest = rest.dropFirst(2)
        }
        return text
    }

    private static func refusal(_ what: String) -> CallError {
        CallError(.invalidArgument, reason: "invalid_request", message: "the form \(what)", notProcessed: true)
    }
}
