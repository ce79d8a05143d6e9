import Foundation
import Glibc

/// One JSON document a line on standard output, whole and at once.
enum Lines {
    /// Not `print`: flushing it would wait for the thread that reads standard input.
    static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            // Nobody listens any more.
            guard count > 0 else { return }
            sent += count
        }
    }

    static func say(_ document: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        do {
            say(String(decoding: try encoder.encode(document), as: UTF8.self))
        } catch {
            say(#"{"error":"a line cannot be encoded"}"#)
        }
    }

    /// The lines of standard input, each handed to `take` on a thread of its own; nil after the last.
    static func listen(_ take: @escaping @Sendable (String?) -> Void) {
        blockingThread {
            while let line = readLine() { take(line) }
            take(nil)
        }
    }
}
