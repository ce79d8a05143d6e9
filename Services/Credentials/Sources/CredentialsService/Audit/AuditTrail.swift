import BulkheadCore
import Glibc
import Synchronization

/// The append-only record of every decision: `audit.log`, each line chained to the one before, and `audit.anchor`, the
/// position of the last one written, which tells a cut-off end.
///
/// `record` only appends to memory (bounded) and is called before anything goes out; `flush` writes, off the event loop. While
/// writing fails, or too much waits, `record` refuses: no secret is used without a record. A rewritten trail with a rewritten
/// anchor is not found out: keep copies elsewhere (telemetry gets the events too).
package final class AuditTrail: Sendable {
    private struct State {
        var seq: UInt64 = 0
        var hash = AuditLine.origin
        var pending: [UInt8] = []
        var failure: String?
    }

    /// Bytes that may wait to be written: some 10 000 records.
    private static let maxPending = 4 << 20

    private let path: String
    private let anchorPath: String
    private let state: Mutex<State>
    private let file: Int32
    private let anchor: Int32
    private let writing = Mutex<Void>(())
    private let wake: @Sendable () -> Void
    /// Ticks when there is something to write.
    let wakeups: AsyncStream<Void>

    /// Opens or begins the trail in `folder`. Blocks.
    /// - Throws: `PrivateFile.Failure`-like text when it cannot be written.
    package init(folder: String) throws {
        path = folder + "/audit.log"
        anchorPath = folder + "/audit.anchor"
        let (stream, source) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wakeups = stream
        wake = { source.yield() }
        file = Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        anchor = Glibc.open(anchorPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0, anchor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw CallError(.internal, message: "the audit trail \(path) cannot be opened: \(reason)")
        }
        let tail = try AuditVerification.tail(path)
        let known = AuditVerification.anchor(anchorPath)
        state = Mutex(State(seq: tail?.seq ?? 0, hash: tail?.hash ?? AuditLine.origin))
        // A trail shorter than its anchor was cut while nobody watched (or the power failed): that stays on record.
        if let known, known.seq > tail?.seq ?? 0 || known.seq == tail?.seq && known.hash != tail?.hash {
            try record(AuditEvent("gap", "failed", peer: "credentials", reason: "anchor_\(known.seq)_\(known.hash)"))
        }
    }

    deinit {
        if file >= 0 { close(file) }
        if anchor >= 0 { close(anchor) }
    }

    /// Chains one event to the trail.
    /// - Throws: UNAVAILABLE `credentials_unavailable` while the trail cannot be written.
    package func record(_ event: AuditEvent) throws(CallError) {
        let now = Self.wallMilliseconds()
        let refusal = state.withLock { state -> String? in
            if state.pending.count > Self.maxPending { return state.failure ?? "it is written too slowly" }
            if let failure = state.failure, event.event == "call", event.decision == "allow" { return failure }
            let (line, hash) = AuditLine.make(event, seq: state.seq + 1, at: now, prev: state.hash)
            state.seq += 1
            state.hash = hash
            state.pending += line
            return nil
        }
        wake()
        if let refusal {
            throw CallError(
                .unavailable, reason: "credentials_unavailable", message: "the audit trail cannot be kept: \(refusal)",
                retryAfter: .seconds(1), notProcessed: true)
        }
    }

    /// Why the trail cannot be written; nil while it can.
    package var failure: String? { state.withLock { $0.failure } }

    /// Writes what waits. Blocks.
    package func flush() {
        writing.withLock { _ in
            let (bytes, seq, hash) = state.withLock { ($0.pending, $0.seq, $0.hash) }
            guard !bytes.isEmpty else { return }
            let start = lseek(file, 0, SEEK_END)
            let isWritten = PrivateFile.writeAll(file, bytes)
            let reason = String(cString: strerror(errno))
            // A line half written would break the chain: take it back and try again later.
            if !isWritten { ftruncate(file, start) }
            state.withLock { state in
                state.failure = isWritten ? nil : reason
                if isWritten { state.pending.removeFirst(bytes.count) }
            }
            if isWritten { writeAnchor(seq, hash) }
        }
    }

    /// Checks the whole trail. Blocks.
    package func verify() -> AuditVerification {
        flush()
        return writing.withLock { _ in
            let expected = state.withLock { ($0.seq, $0.hash, !$0.pending.isEmpty) }
            return AuditVerification.run(path, expected: expected.2 ? nil : (expected.0, expected.1))
        }
    }

    /// The last records, oldest first. Blocks.
    package func tail(_ count: Int) throws -> [Substring] {
        flush()
        return try AuditVerification.lastLines(path, count)
    }

    private func writeAnchor(_ seq: UInt64, _ hash: String) {
        let digits = String(seq)
        let text = String(repeating: "0", count: 20 - digits.count) + digits + " " + hash + "\n"
        let bytes = Array(text.utf8)
        // Its failure shows at the next start as an anchor that lags behind, which is harmless.
        _ = pwrite(anchor, bytes, bytes.count, 0)
    }

    static func wallMilliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
