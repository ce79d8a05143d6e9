/// Lines of the trail: one JSON object each, whose last member authenticates all before it, the hash of the line before
/// included.
enum AuditLine {
    static let origin = [UInt8](repeating: UInt8(ascii: "0"), count: hashDigits)
    static let hashDigits = 64
    private static let longest = 256
    private static let hashMember = Array(",\"hash\":\"".utf8)
    private static let prevMember = Array(",\"prev\":\"".utf8)

    /// Appends an event's line with its line feed. One is made for every call: bytes at once, no string in between.
    /// - Parameter path: what stands for the event's path, see `PathDigests`; empty for none.
    /// - Returns: its hash.
    static func append(
        _ event: AuditEvent, path: [UInt8], seq: UInt64, at: Int64, prev: [UInt8], _ key: AuditKey, to text: inout [UInt8]
    ) -> [UInt8] {
        let start = text.count
        text += "{\"seq\":".utf8
        append(seq, to: &text)
        append("at", at, to: &text)
        append("event", event.event, to: &text)
        append("decision", event.decision, to: &text)
        append("peer", event.peer, to: &text)
        append("uid", event.uid, to: &text)
        append("pid", event.pid, to: &text)
        append("destination", event.destination, to: &text)
        append("host", event.host, to: &text)
        append("secret", event.secret, to: &text)
        append("method", event.method, to: &text)
        if !path.isEmpty {
            name("path", &text)
            text.append(UInt8(ascii: "\""))
            text += path
            text.append(UInt8(ascii: "\""))
        }
        append("reason", event.reason, to: &text)
        append("request", event.request, to: &text)
        append("tenant", event.tenant, to: &text)
        if let outcome = event.outcome { append(outcome, to: &text) }
        text += prevMember
        text += prev
        text.append(UInt8(ascii: "\""))
        let hash = key.mac(text[start...])
        text += hashMember
        text += hash
        text += "\"}\n".utf8
        return hash
    }

    private static func append(_ outcome: CallOutcome, to text: inout [UInt8]) {
        append("of", outcome.decision, to: &text)
        append("status", outcome.status == 0 ? nil : outcome.status, to: &text)
        append("bytes", outcome.bytes, to: &text)
        append("ms", outcome.milliseconds, to: &text)
        append("redactions", outcome.redactions == 0 ? nil : outcome.redactions, to: &text)
        append("address", outcome.address, to: &text)
    }

    private static func name(_ name: StaticString, _ text: inout [UInt8]) {
        text.append(UInt8(ascii: ","))
        text.append(UInt8(ascii: "\""))
        text.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        text.append(UInt8(ascii: "\""))
        text.append(UInt8(ascii: ":"))
    }

    private static func append(_ name: StaticString, _ value: (some FixedWidthInteger)?, to text: inout [UInt8]) {
        guard let value else { return }
        Self.name(name, &text)
        append(value, to: &text)
    }

    /// The decimal digits, without a string in between.
    private static func append(_ value: some FixedWidthInteger, to text: inout [UInt8]) {
        if value < 0 { text.append(UInt8(ascii: "-")) }
        var rest = UInt64(value.magnitude)
        let start = text.count
        repeat {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        text[start...].reverse()
    }

    private static func append(_ name: StaticString, _ value: String, to text: inout [UInt8]) {
        guard !value.isEmpty else { return }
        Self.name(name, &text)
        text.append(UInt8(ascii: "\""))
        var value = value
        let isPlain = value.withUTF8 { bytes in
            guard bytes.count <= longest,
                bytes.allSatisfy({ $0 >= 32 && $0 < 127 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") })
            else { return false }
            text.append(contentsOf: bytes)
            return true
        }
        if !isPlain { text += escaped(value).utf8 }
        text.append(UInt8(ascii: "\""))
    }

    /// The hash a line ends with, if it is that of its content and the line follows `prev`; nil otherwise.
    /// - Parameter prev: nil for a line whose predecessor is not kept any more.
    static func check(_ line: ArraySlice<UInt8>, seq: UInt64, prev: [UInt8]?, _ key: AuditKey) -> [UInt8]? {
        guard let position = position(line), position.seq == seq else { return nil }
        let text = line.dropLast(hashMember.count + hashDigits + 2)
        let link = text.suffix(hashDigits + 1).dropLast()
        guard prev.map({ link.elementsEqual($0) }) ?? true, key.mac(text) == position.hash else { return nil }
        return position.hash
    }

    /// Sequence number and hash of a line, unchecked; nil when it is no record.
    static func position(_ line: ArraySlice<UInt8>) -> (seq: UInt64, hash: [UInt8])? {
        let opening = Array("{\"seq\":".utf8)
        guard line.starts(with: opening), line.suffix(2).elementsEqual("\"}".utf8) else { return nil }
        let number = line.dropFirst(opening.count).prefix { (UInt8(ascii: "0") ... UInt8(ascii: "9")).contains($0) }
        let hash = line.dropLast(2).suffix(hashDigits)
        guard let seq = UInt64(String(decoding: number, as: UTF8.self)), hash.count == hashDigits,
            line.dropLast(2 + hashDigits).suffix(hashMember.count).elementsEqual(hashMember)
        else { return nil }
        return (seq, Array(hash))
    }

    /// JSON string content of an unusual value. Values come from peers: what is not plain becomes an escape.
    private static func escaped(_ text: String) -> String {
        var out = ""
        for unit in text.prefix(longest).utf16 {
            if unit >= 32, unit < 127, unit != 34, unit != 92 {
                out.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            } else {
                let digits = String(unit, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }
        }
        return out
    }
}
