import Glibc

/// The file that is written, and the lines that are not in it yet. Whoever has it sees to it that one writes at a time.
struct AuditLog: Sendable {
    /// Bytes that may wait while the file cannot be written: some 8 000 records.
    static let maxWaiting = 4 << 20

    private(set) var file: Int32
    /// Bytes of the file that are whole lines.
    private(set) var size: Int
    /// Lines to be written next.
    var waiting: [UInt8] = []
    /// Why the last write failed; nil when it did not.
    var failure: String?

    init(_ file: Int32) {
        self.file = file
        size = max(0, Int(lseek(file, 0, SEEK_END)))
        waiting.reserveCapacity(4 << 10)
    }

    var isFull: Bool { waiting.count > Self.maxWaiting }

    /// A place to return to with `drop`.
    var mark: Int { waiting.count }

    /// Forgets what came after `mark`.
    mutating func drop(to mark: Int) { waiting.removeLast(waiting.count - mark) }

    /// Writes what waits, all or nothing.
    /// - Returns: false with `failure` set.
    mutating func write() -> Bool {
        guard !waiting.isEmpty else { return failure == nil || hasRoom() }
        guard PrivateFile.writeAll(file, waiting) else {
            failure = String(cString: strerror(errno))
            // A line half written would break the chain: it is taken back, and tried again later.
            if ftruncate(file, off_t(size)) != 0 { failure = "half a record stands in it: \(String(cString: strerror(errno)))" }
            return false
        }
        size += waiting.count
        waiting.removeAll(keepingCapacity: waiting.capacity <= 64 << 10)
        failure = nil
        return true
    }

    /// After a failure with nothing left to write: whether a record would go in again. What is tried is taken back; left behind by
    /// a process that was killed in between it is half a record.
    private mutating func hasRoom() -> Bool {
        let isWritten = PrivateFile.writeAll(file, Self.trial)
        let reason = String(cString: strerror(errno))
        let isTakenBack = ftruncate(file, off_t(size)) == 0
        failure = isWritten && isTakenBack ? nil : isTakenBack ? reason : "half a record stands in it: \(reason)"
        return failure == nil
    }

    private static let trial = [UInt8](repeating: UInt8(ascii: " "), count: 1024)

    mutating func close() {
        if file >= 0 { Glibc.close(file) }
        file = -1
    }
}
