/// The authenticated head of the trail: which record is the last one known to be on disk, and which the first one kept.
struct AuditAnchor: Equatable, Sendable {
    var seq: UInt64
    var hash: [UInt8]
    /// The first record that is still kept; 1 until old files were dropped.
    var first: UInt64

    /// What stands in the file.
    enum Reading: Equatable {
        case good(AuditAnchor)
        case missing
        /// Not written with this key, or damaged.
        case foreign
    }

    private static let version = "bulkhead-audit-1"
    private static let maxBytes = 512

    /// The file's content, of the same length always.
    func text(_ key: AuditKey) -> [UInt8] {
        func padded(_ number: UInt64) -> String {
            let digits = String(number)
            return String(repeating: "0", count: 20 - digits.count) + digits
        }
        var text = Array("\(Self.version) \(padded(seq)) \(padded(first)) ".utf8) + hash
        let mac = key.mac(text[...])
        text.append(UInt8(ascii: " "))
        return text + mac + [UInt8(ascii: "\n")]
    }

    static func read(_ path: String, _ key: AuditKey) -> Reading {
        let bytes: [UInt8]
        do {
            bytes = try PrivateFile.read(path, maxBytes: maxBytes)
        } catch {
            return error.isMissing ? .missing : .foreign
        }
        if bytes.isEmpty { return .missing }
        let parts = bytes.split(separator: UInt8(ascii: " "))
        guard parts.count == 5, let seq = UInt64(String(decoding: parts[1], as: UTF8.self)),
            let first = UInt64(String(decoding: parts[2], as: UTF8.self)), parts[3].count == AuditLine.hashDigits
        else { return .foreign }
        let anchor = AuditAnchor(seq: seq, hash: Array(parts[3]), first: first)
        return anchor.text(key) == bytes ? .good(anchor) : .foreign
    }
}
