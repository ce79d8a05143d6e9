import BulkheadCore
import Glibc

/// What a trail is found to be when it is opened: where it goes on, and what must be put on record first.
///
/// A key stands under its name only after an anchor made with it does: where there is a key, an anchor is missing because it
/// was taken away.
struct AuditOpening {
    let key: AuditKey
    /// The last record, as the file says, and the first one kept.
    let last: AuditAnchor
    /// What the anchor says; nil when it says nothing.
    let anchor: AuditAnchor?
    /// Records to begin with.
    let findings: [AuditEvent]

    /// - Throws: INTERNAL when key or trail cannot be read.
    init(_ files: AuditFiles, keyPath: String) throws {
        let empty = AuditAnchor(seq: 0, hash: AuditLine.origin, first: 1)
        let before = try Self.end(files)
        let made = try AuditKey.load(keyPath) { key in
            guard before.last == nil else { return }
            try PrivateFile.replace(files.anchor, with: empty.text(key))
        }
        key = made.key
        var findings: [AuditEvent] = []
        if before.torn > 0 {
            // It was being written when the process ended: its call never went out.
            truncate(files.current, off_t(before.size - before.torn))
            findings.append(AuditEvent("repair", "done", peer: "credentials", reason: "cut_\(before.torn)_bytes"))
        }
        let reading = AuditAnchor.read(files.anchor, made.key)
        var first: UInt64 = 1
        if case .good(let anchor) = reading { first = anchor.first }
        last = AuditAnchor(seq: before.last?.seq ?? 0, hash: before.last?.hash ?? AuditLine.origin, first: first)
        if let problem = Self.problem(reading, last, before.lines, isKeyNew: made.isNew && before.last != nil) {
            findings.insert(AuditEvent("gap", "failed", peer: "credentials", reason: problem), at: 0)
        }
        self.findings = findings
        if case .good(let found) = reading { anchor = found } else { anchor = nil }
    }

    private static func problem(
        _ reading: AuditAnchor.Reading, _ last: AuditAnchor, _ lines: [ArraySlice<UInt8>], isKeyNew: Bool
    ) -> String? {
        if isKeyNew { return "key_missing" }
        switch reading {
        case .missing: return "anchor_missing"
        case .foreign: return "anchor_foreign"
        case .good(let anchor):
            if anchor.seq > last.seq { return "cut_after_\(last.seq)_of_\(anchor.seq)" }
            // Records after the anchor are those of the last moments. Those before it are left to `verify`.
            let known = anchor.seq == last.seq ? last.hash : hash(of: anchor.seq, lines)
            return known.map { $0 == anchor.hash } ?? true ? nil : "changed_\(anchor.seq)"
        }
    }

    private static func hash(of seq: UInt64, _ lines: [ArraySlice<UInt8>]) -> [UInt8]? {
        lines.lazy.compactMap(AuditLine.position).last { $0.seq == seq }?.hash
    }

    private struct End {
        var last: (seq: UInt64, hash: [UInt8])?
        var lines: [ArraySlice<UInt8>]
        var torn: Int
        var size: Int
    }

    /// The end of the trail: of the file that is written, or while that is empty, of the one before.
    private static func end(_ files: AuditFiles) throws -> End {
        let size = files.currentBytes
        let (lines, torn) = try AuditFiles.end(of: files.current)
        // A last line that is no record is left to `verify`: the trail goes on after the last one that is.
        let last = lines.lazy.reversed().compactMap(AuditLine.position).first
        if last == nil, let number = files.numbers().last {
            let before = try AuditFiles.end(of: files.full(number)).lines
            return End(last: before.last.flatMap(AuditLine.position), lines: before, torn: torn, size: size)
        }
        return End(last: last, lines: lines, torn: torn, size: size)
    }
}
