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

    static func make(_ event: AuditEvent, seq: UInt64, at: Int64, prev: String) -> (line: String, hash: String) {
        var text = "{\"seq\":\(seq),\"at\":\(at)"
        let members = [
            ("event", event.event), ("decision", event.decision), ("peer", event.peer), ("destination", event.destination),
            ("secret", event.secret), ("method", event.method), ("reason", event.reason), ("request", event.request),
            ("tenant", event.tenant),
        ]
        for (name, value) in members where !value.isEmpty { text += ",\"\(name)\":\"\(escaped(value))\"" }
        text += ",\"prev\":\"\(prev)\""
        let hash = digest(text)
        return ("\(text)\(hashMember)\(hash)\"}\n", hash)
    }

    /// The hash a line ends with, if it is that of its content and the line follows `prev`; nil otherwise.
    static func check(_ line: Substring, seq: UInt64, prev: String) -> String? {
        guard line.hasPrefix("{\"seq\":\(seq),"), line.hasSuffix("\"}"), let member = line.ranges(of: hashMember).last else {
            return nil
        }
        let text = line[..<member.lowerBound]
        let hash = line[member.upperBound...].dropLast(2)
        return text.hasSuffix(",\"prev\":\"\(prev)\"") && digest(text) == hash ? String(hash) : nil
    }

    /// Sequence number and hash of a line, unchecked; nil when it has none.
    static func position(_ line: Substring) -> (seq: UInt64, hash: String)? {
        guard line.hasPrefix("{\"seq\":"), let seq = UInt64(line.dropFirst(7).prefix { $0.isNumber }), line.hasSuffix("\"}"),
            let member = line.ranges(of: hashMember).last
        else { return nil }
        return (seq, String(line[member.upperBound...].dropLast(2)))
    }

    private static func digest(_ text: some StringProtocol) -> String {
        let digits = Array("0123456789abcdef".utf8)
        let hash = SHA256.hash(data: Array(text.utf8))
        return String(decoding: hash.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// JSON string content. Values come from peers: anything unusual becomes an escape.
    private static func escaped(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 32 && $0 < 127 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) { return text }
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
