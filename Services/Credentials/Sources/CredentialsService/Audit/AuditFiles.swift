import BulkheadCore
import Glibc

/// The files of a trail, oldest first: `audit.log.NNNNNN` those that are full, `audit.log` the one that is written. All of it
/// blocks.
struct AuditFiles: Sendable {
    let folder: String

    var current: String { folder + "/audit.log" }
    var anchor: String { folder + "/audit.anchor" }

    private static let prefix = "audit.log."
    private static let digits = 6

    func full(_ number: Int) -> String {
        let text = String(number)
        return folder + "/" + Self.prefix + String(repeating: "0", count: max(0, Self.digits - text.count)) + text
    }

    /// The numbers of the full files, oldest first.
    func numbers() -> [Int] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found: [Int] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard name.hasPrefix(Self.prefix), let number = Int(name.dropFirst(Self.prefix.count)), number > 0 else { continue }
            found.append(number)
        }
        return found.sorted()
    }

    /// The length of the file that is written; 0 when there is none.
    var currentBytes: Int {
        var status = stat()
        return stat(current, &status) == 0 ? Int(status.st_size) : 0
    }

    /// All that are there, oldest first.
    func all() -> [String] { numbers().map(full) + [current] }

    /// Opens, or begins, the file that is written.
    /// - Throws: INTERNAL, with path and reason.
    func open(_ path: String, _ flags: Int32) throws(CallError) -> Int32 {
        let file = Glibc.open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else {
            throw CallError(
                .internal, message: "the audit trail \(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        return file
    }

    /// The whole lines at a file's end, as many as fit into 256 KiB, and how many bytes of an unfinished one follow.
    static func end(of path: String) throws -> (lines: [ArraySlice<UInt8>], torn: Int) {
        var status = stat()
        guard stat(path, &status) == 0 else { return ([], 0) }
        let start = max(0, Int(status.st_size) - endBytes)
        var bytes: [UInt8] = []
        try pieces(path, from: start) { bytes += $0 }
        let whole = bytes.lastIndex(of: newline).map { $0 + 1 } ?? 0
        var lines = bytes[..<whole].split(separator: newline)
        if start > 0, !lines.isEmpty { lines.removeFirst() }
        return (lines, bytes.count - whole)
    }

    /// The number of a file's first record; nil when it has none.
    static func first(of path: String) throws -> UInt64? {
        var head: [UInt8] = []
        try pieces(path, from: 0, upTo: 1 << 16) { head += $0 }
        return head.split(separator: newline, maxSplits: 1).first.flatMap { AuditLine.position($0)?.seq }
    }

    private static let newline = UInt8(ascii: "\n")
    private static let endBytes = 256 << 10
    private static let chunkBytes = 1 << 20

    /// Reads a file from `start` on in pieces, up to the byte at `end`.
    static func pieces(_ path: String, from start: Int, upTo end: Int = .max, _ body: (ArraySlice<UInt8>) -> Void) throws {
        func failed() -> CallError {
            CallError(.internal, message: "the audit trail cannot be read: \(String(cString: strerror(errno)))")
        }
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw failed() }
        defer { close(file) }
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        var place = start
        while place < end {
            let count = pread(file, &chunk, min(chunk.count, end - place), off_t(place))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failed() }
            if count == 0 { return }
            body(chunk[..<count])
            place += count
        }
    }
}
