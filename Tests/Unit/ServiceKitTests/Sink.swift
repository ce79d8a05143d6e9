import BulkheadObservability
import Glibc
import Testing

/// Takes what a `LogWriter` writes, through a pipe.
struct Sink: ~Copyable {
    private let reading: Int32
    private let writing: Int32
    let writer: LogWriter

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
        writer = LogWriter(descriptor: writing)
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// The lines written so far, which must fit the pipe (64 KiB).
    func lines() -> [String] {
        writer.flush()
        var waiting: Int32 = 0
        guard ioctl(reading, UInt(FIONREAD), &waiting) == 0, waiting > 0 else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(waiting))
        let count = read(reading, &bytes, bytes.count)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
