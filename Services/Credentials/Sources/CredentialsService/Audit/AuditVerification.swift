import BulkheadCore

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

    /// Reads the whole trail in pieces.
    /// - Parameters:
    ///   - head: the last record and the first one kept.
    ///   - currentBytes: how far the file that is written is read: records that come meanwhile are left out.
    static func run(_ files: AuditFiles, _ key: AuditKey, head: AuditAnchor, currentBytes: Int) -> AuditVerification {
        let reading = AuditAnchor.read(files.anchor, key)
        var watched: UInt64 = 0
        if case .good(let anchor) = reading { watched = anchor.seq }
        var walk = AuditWalk(key, firstKept: head.first, watched: watched)
        do {
            for path in files.all() {
                try AuditFiles.pieces(path, from: 0, upTo: path == files.current ? currentBytes : .max) { walk.add($0) }
                walk.endFile()
            }
        } catch {
            return AuditVerification(records: 0, problem: (error as? CallError)?.message ?? "the trail cannot be read")
        }
        let problem = walk.problem ?? walk.problem(head) ?? walk.problem(reading)
        return AuditVerification(records: walk.count, problem: problem)
    }
}

/// Follows the chain line by line.
struct AuditWalk {
    private(set) var seq: UInt64 = 0
    private(set) var count: UInt64 = 0
    private(set) var problem: String?
    private var hash = AuditLine.origin
    private var isFirst = true
    private var partial: [UInt8] = []
    private let key: AuditKey
    private let firstKept: UInt64
    private let watched: UInt64
    private var watchedHash: [UInt8]?

    private static let maxLine = 64 << 10
    private static let gap = Array(",\"event\":\"gap\",".utf8)
    /// Number, time and event stand within so many bytes.
    private static let maxOpening = 96

    /// - Parameters:
    ///   - firstKept: the trail may begin with any record up to this one.
    ///   - watched: the record the anchor vouches for.
    init(_ key: AuditKey, firstKept: UInt64, watched: UInt64) {
        self.key = key
        self.firstKept = firstKept
        self.watched = watched
    }

    mutating func add(_ bytes: ArraySlice<UInt8>) {
        var rest = bytes
        while problem == nil, let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            if partial.isEmpty {
                line(rest[..<end])
            } else {
                partial += rest[..<end]
                line(partial[...])
                partial = []
            }
            rest = rest[(end + 1)...]
        }
        partial += rest
        if problem == nil, partial.count > Self.maxLine { problem = broken }
    }

    mutating func endFile() {
        if problem == nil, !partial.isEmpty { problem = "the line after record \(seq) is incomplete" }
    }

    private mutating func line(_ bytes: ArraySlice<UInt8>) {
        var prev: [UInt8]? = hash
        if isFirst, let position = AuditLine.position(bytes), position.seq > 1 {
            guard position.seq <= firstKept else {
                problem = "the records before \(position.seq) are missing"
                return
            }
            seq = position.seq - 1
            prev = nil
        }
        guard let next = AuditLine.check(bytes, seq: seq + 1, prev: prev, key) else {
            problem = broken
            return
        }
        isFirst = false
        seq += 1
        count += 1
        hash = next
        if seq == watched { watchedHash = next }
        noteGap(bytes)
    }

    private mutating func noteGap(_ bytes: ArraySlice<UInt8>) {
        let opening = bytes.prefix(Self.maxOpening)
        guard opening.indices.contains(where: { opening[$0...].starts(with: Self.gap) }) else { return }
        problem = "record \(seq) says that records before it were lost or cut off, or the anchor or key taken away"
    }

    private var broken: String { "record \(seq + 1) is missing, was changed, or does not follow record \(seq)" }

    /// What is wrong with the end, when the last record is known.
    func problem(_ head: AuditAnchor) -> String? {
        guard seq != head.seq || hash != head.hash else { return nil }
        return seq < head.seq
            ? "the trail ends at record \(seq), but \(head.seq) were written: its end was cut off"
            : "the last record, \(seq), is not the one that was written"
    }

    /// What is wrong with the anchor.
    func problem(_ reading: AuditAnchor.Reading) -> String? {
        switch reading {
        case .missing: return "audit.anchor is missing; the \(count) records themselves are in order"
        case .foreign: return "audit.anchor was changed or replaced; the \(count) records themselves are in order"
        case .good(let anchor):
            if anchor.seq > seq { return "the trail ends at record \(seq), but \(anchor.seq) were written: its end was cut off" }
            let isKnown = anchor.seq == 0 || watchedHash == anchor.hash || anchor.seq < seq - count + 1
            return isKnown ? nil : "record \(anchor.seq) is not the one that audit.anchor vouches for"
        }
    }
}
