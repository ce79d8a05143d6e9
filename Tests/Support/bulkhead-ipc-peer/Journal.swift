import ArgumentParser
import BulkheadCore
import BulkheadIPC
import Glibc

/// A file with a line for every execution: `method request-id start-ns running pid`. It outlives the process, and several
/// processes may write to one, so that a call executed by both shows.
struct Journal: Sendable {
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ValidationError("cannot open \(path): \(String(cString: strerror(errno)))") }
    }

    /// - Parameter running: handlers that run now, this one included.
    func begin(_ call: ServerCall, _ method: MethodDescriptor, _ now: MonotonicTime, running: Int) {
        let id = call.metadata.requestID.isEmpty ? "-" : call.metadata.requestID
        let line = "\(method.name) \(id) \(now.nanoseconds) \(running) \(getpid())\n"
        // One write, so that lines of several processes do not mix.
        let sent = line.utf8.withContiguousStorageIfAvailable { Glibc.write(descriptor, $0.baseAddress, $0.count) } ?? -1
        precondition(sent == line.utf8.count, "bug: the journal cannot be written")
    }
}
