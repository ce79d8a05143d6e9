import Dispatch
import Glibc
import Synchronization

/// Writes log lines to standard error from a queue of its own, so that a reader that has stopped (a frozen supervisor, a
/// full pipe) never blocks the event loop. At most 1 MiB waits; lines beyond that are dropped and counted.
package final class LogWriter: Sendable {
    private static let maximumWaiting = 1 << 20

    private let queue = DispatchQueue(label: "bulkhead.log")
    private let waiting = Atomic<Int>(0)
    private let droppedLines = Atomic<Int>(0)
    private let descriptor: Int32

    /// - Parameter descriptor: where the lines go; standard error unless a test says otherwise.
    package init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = descriptor }

    /// Lines dropped since start because nobody read.
    package var dropped: Int { droppedLines.load(ordering: .relaxed) }

    /// Queues one line, newline included.
    package func write(_ line: [UInt8]) {
        guard waiting.add(line.count, ordering: .relaxed).newValue <= Self.maximumWaiting else {
            waiting.subtract(line.count, ordering: .relaxed)
            droppedLines.add(1, ordering: .relaxed)
            return
        }
        queue.async { [self] in
            writeAll(line)
            waiting.subtract(line.count, ordering: .relaxed)
        }
    }

    /// Waits until what was queued is written, at most a second: before the process ends.
    package func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }

    private func writeAll(_ line: [UInt8]) {
        line.withUnsafeBytes { bytes in
            var at = 0
            while at < bytes.count {
                let written = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: at), bytes.count - at)
                if written > 0 {
                    at += written
                } else if errno != EINTR {
                    droppedLines.add(1, ordering: .relaxed)
                    return
                }
            }
        }
    }
}
