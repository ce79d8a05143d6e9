import Crypto

/// What happened, as the audit trail keeps it. No path, query, header or body: they may hold what must not be kept.
package struct AuditEvent: Sendable, Equatable {
    /// call | set | rotate | revoke | delete | reseal | import | unlock | gap
    package var event: String
    /// allow | deny | done | failed
    package var decision: String
    /// Who asked: a service, or `admin`.
    package var peer: String
    /// The destination; empty for events about secrets.
    package var destination: String
    /// The secret's name; empty when none.
    package var secret: String
    /// The HTTP method of a call.
    package var method: String
    /// A stable word for what was refused or found.
    package var reason: String
    /// The request id and tenant on whose behalf.
    package var request: String
    package var tenant: String

    /// An event; all but the first two optional.
    package init(
        _ event: String, _ decision: String, peer: String = "admin", destination: String = "", secret: String = "",
        method: String = "",
        reason: String = "", request: String = "", tenant: String = ""
    ) {
        self.event = event
        self.decision = decision
        self.peer = peer
        self.destination = destination
        self.secret = secret
        self.method = method
        self.reason = reason
        self.request = request
        self.tenant = tenant
    }
}

/// A record as it stands in the file and as `audit tail` shows it.
package struct AuditRecord: Codable, Sendable, Equatable {
    /// 1 for the first record of the trail.
    package var seq: UInt64
    /// Milliseconds since 1970.
    package var at: Int64
    package var event: String
    package var decision: String
    package var peer: String
    package var destination: String?
    package var secret: String?
    package var method: String?
    package var reason: String?
    package var request: String?
    package var tenant: String?
    /// SHA-256 of the record before, 64 hexadecimal digits; zeros for the first.
    package var prev: String
    /// SHA-256 of the line up to this member.
    package var hash: String
}

/// Lines of the trail: one JSON object each, whose last member is the SHA-256 of all before it.
enum AuditLine {
    static let origin = String(repeating: "0", count: 64)
    private static let hashMember = ",\"hash\":\""

    /// - Returns: the line's bytes with its line feed, and its hash.
    static func make(_ event: AuditEvent, seq: UInt64, at: Int64, prev: String) -> (line: [UInt8], hash: String) {
        var line: [UInt8] = []
        // One is made for every call: bytes at once, no string in between.
        line.reserveCapacity(512)
        line += "{\"seq\":".utf8
        line += String(seq).utf8
        line += ",\"at\":".utf8
        line += String(at).utf8
        append("event", event.event, to: &line)
        append("decision", event.decision, to: &line)
        append("peer", event.peer, to: &line)
        append("destination", event.destination, to: &line)
        append("secret", event.secret, to: &line)
        append("method", event.method, to: &line)
        append("reason", event.reason, to: &line)
        append("request", event.request, to: &line)
        append("tenant", event.tenant, to: &line)
        append("prev", prev, to: &line)
        let hash = digest(line)
        line += hashMember.utf8
        line += hash.utf8
        line += "\"}\n".utf8
        return (line, hash)
    }

    private static func append(_ name: StaticString, _ value: String, to line: inout [UInt8]) {
        guard !value.isEmpty else { return }
        line.append(UInt8(ascii: ","))
        line.append(UInt8(ascii: "\""))
        line.append(contentsOf: UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        line.append(UInt8(ascii: "\""))
        line.append(UInt8(ascii: ":"))
        line.append(UInt8(ascii: "\""))
        var value = value
        let isPlain = value.withUTF8 { bytes in
            let isPlain = bytes.allSatisfy { $0 >= 32 && $0 < 127 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
            if isPlain { line.append(contentsOf: bytes) }
            return isPlain
        }
        if !isPlain { line += escaped(value).utf8 }
        line.append(UInt8(ascii: "\""))
    }

    /// The hash a line ends with, if it is that of its content and the line follows `prev`; nil otherwise.
    static func check(_ line: Substring, seq: UInt64, prev: String) -> String? {
        guard line.hasPrefix("{\"seq\":\(seq),"), line.hasSuffix("\"}"), let member = line.ranges(of: hashMember).last else {
            return nil
        }
        let text = line[..<member.lowerBound]
        let hash = line[member.upperBound...].dropLast(2)
        return text.hasSuffix(",\"prev\":\"\(prev)\"") && digest(Array(text.utf8)) == hash ? String(hash) : nil
    }

    /// Sequence number and hash of a line, unchecked; nil when it has none.
    static func position(_ line: Substring) -> (seq: UInt64, hash: String)? {
        guard line.hasPrefix("{\"seq\":"), let seq = UInt64(line.dropFirst(7).prefix { $0.isNumber }), line.hasSuffix("\"}"),
            let member = line.ranges(of: hashMember).last
        else { return nil }
        return (seq, String(line[member.upperBound...].dropLast(2)))
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func digest(_ bytes: [UInt8]) -> String {
        let hash = SHA256.hash(data: bytes)
        return String(unsafeUninitializedCapacity: 2 * SHA256.byteCount) { space in
            var place = 0
            for byte in hash {
                space[place] = digits[Int(byte >> 4)]
                space[place + 1] = digits[Int(byte & 15)]
                place += 2
            }
            return place
        }
    }

    /// JSON string content of an unusual value. Values come from peers: what is not plain becomes an escape.
    private static func escaped(_ text: String) -> String {
        var out = ""
        for unit in text.prefix(256).utf16 {
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
