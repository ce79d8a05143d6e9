import BulkheadCore
import Glibc

/// What `audit verify` found.
package struct AuditVerification: Sendable, Codable, Equatable {
    /// Records that are in order, from the first on.
    package var records: UInt64
    /// The first thing wrong; nil when all is well.
    package var problem: String?

    /// A finding.
    package init(records: UInt64, problem: String?) {
        self.records = records
        self.problem = problem
    }

    private static let tailBytes = 256 << 10
    private static let chunkBytes = 1 << 20
    private static let maxLine = 64 << 10

    /// Reads the whole trail in pieces.
    /// - Parameter expected: number and hash of the last record; nil when not known.
    static func run(_ path: String, expected: (seq: UInt64, hash: String)?) -> AuditVerification {
        var walk = ChainWalk()
        do {
            try pieces(path, from: 0) { walk.add($0) }
        } catch {
            return AuditVerification(records: 0, problem: "\(error)")
        }
        walk.finish()
        if walk.problem == nil, let expected, walk.seq != expected.seq || walk.hash != expected.hash {
            walk.problem =
                walk.seq < expected.seq
                ? "the trail ends at record \(walk.seq), but \(expected.seq) were written: its end was cut off"
                : "the last record, \(walk.seq), is not the one that was written"
        }
        return AuditVerification(records: walk.seq, problem: walk.problem)
    }

    /// Number and hash of the last record; nil when the trail is empty.
    static func tail(_ path: String) throws -> (seq: UInt64, hash: String)? {
        try lastLines(path, 1).last.flatMap(AuditLine.position)
    }

    /// The last whole lines, oldest first, as many as fit into 256 KiB.
    static func lastLines(_ path: String, _ count: Int) throws -> [Substring] {
        var status = stat()
        guard stat(path, &status) == 0 else { return [] }
        let start = max(0, Int(status.st_size) - tailBytes)
        var bytes: [UInt8] = []
        try pieces(path, from: start) { bytes += $0 }
        let text = String(decoding: bytes, as: UTF8.self)
        var lines = text.split(separator: "\n")
        if start > 0, !lines.isEmpty { lines.removeFirst() }
        return lines.suffix(max(0, count))
    }

    /// The anchor's number and hash; nil when there is none.
    static func anchor(_ path: String) -> (seq: UInt64, hash: String)? {
        var bytes: [UInt8] = []
        do {
            try pieces(path, from: 0) { bytes += $0 }
        } catch {
            return nil
        }
        let parts = String(decoding: bytes.prefix(128), as: UTF8.self).split { $0 == " " || $0 == "\n" }
        guard parts.count == 2, let seq = UInt64(parts[0]), parts[1].utf8.count == 64 else { return nil }
        return (seq, String(parts[1]))
    }

    private static func pieces(_ path: String, from start: Int, _ body: (ArraySlice<UInt8>) -> Void) throws {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw CallError(.internal, message: "the audit trail cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(file) }
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        var place = start
        while true {
            let count = pread(file, &chunk, chunk.count, off_t(place))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw CallError(.internal, message: "the audit trail cannot be read: \(String(cString: strerror(errno)))")
            }
            if count == 0 { return }
            body(chunk[..<count])
            place += count
        }
    }

    /// Follows the chain line by line.
    private struct ChainWalk {
        var seq: UInt64 = 0
        var hash = AuditLine.origin
        var problem: String?
        private var partial: [UInt8] = []

        mutating func add(_ bytes: ArraySlice<UInt8>) {
            var rest = bytes
            while problem == nil, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                line(partial + rest[..<end])
                partial = []
                rest = rest[(end + 1)...]
            }
            partial += rest
            if problem == nil, partial.count > maxLine { problem = broken }
        }

        mutating func finish() {
            if problem == nil, !partial.isEmpty { problem = "the line after record \(seq) is incomplete" }
        }

        private mutating func line(_ bytes: [UInt8]) {
            let text = String(decoding: bytes, as: UTF8.self)
            guard let next = AuditLine.check(text[...], seq: seq + 1, prev: hash) else {
                problem = broken
                return
            }
            seq += 1
            hash = next
            if text.contains("\"event\":\"gap\"") { problem = "record \(seq) says that records before it were lost or cut off" }
        }

        private var broken: String { "record \(seq + 1) is missing, was changed, or does not follow record \(seq)" }
    }
}
