import BulkheadCore
import Glibc
import Synchronization

/// How large a trail may grow.
package struct AuditLimits: Sendable, Equatable {
    /// A file as large as this is put aside, and the next one is begun.
    package var fileBytes: Int
    /// Full files that are kept besides the one that is written; the oldest are removed, which is on record.
    package var kept: Int

    /// 256 MiB a file, 16 full ones: at most 4.25 GiB.
    package init(fileBytes: Int = 256 << 20, kept: Int = 16) {
        self.fileBytes = fileBytes
        self.kept = kept
    }
}

/// The append-only record of every decision: `audit.log`, each line chained to the one before and authenticated with
/// `audit.key`, and `audit.anchor`, the authenticated position of the last record on disk, which tells a cut-off end.
///
/// When `record` returns, the record stands in the file (the page cache: it outlives this process, whatever ends it); ends of
/// calls alone may wait for the next write. `flush` brings everything to the disk, off the event loop, a few milliseconds
/// later. While the file cannot be written, permissions are refused, everything else is kept in memory (bounded), and every
/// `flush` tries again.
package final class AuditTrail: Sendable {
    private struct State {
        var seq: UInt64
        var hash: [UInt8]
        /// The first record that is kept.
        var first: UInt64
        var log: AuditLog
        var digests = PathDigests()
        /// Why the disk does not take what was written; lasts until the process is started anew.
        var damage: String?

        var failure: String? { damage ?? log.failure }
    }

    /// Takes turns of those who write to the disk, put files aside and read them.
    private struct Keeper {
        /// As it stands in the file; nil when nothing does.
        var anchor: AuditAnchor?
        var numbers: [Int]
    }

    private let files: AuditFiles
    private let limits: AuditLimits
    private let key: AuditKey
    private let anchor: Int32
    private let state: Mutex<State>
    private let keeper: Mutex<Keeper>
    private let wake: @Sendable () -> Void
    private let forward: @Sendable (AuditEvent, UInt64, Int64) -> Void
    /// Ticks when there is something for `flush`.
    let wakeups: AsyncStream<Void>

    /// Opens or begins the trail in `folder`. Blocks.
    /// - Parameters:
    ///   - keyPath: the file with its key; nil: `audit.key` in `folder`.
    ///   - forward: told of every record with its number and time (milliseconds since 1970); neither waits nor fails. Records
    ///     made at the same time may come in another order than that of their numbers.
    /// - Throws: INTERNAL when it cannot be read or written.
    package init(
        folder: String, keyPath: String? = nil, limits: AuditLimits = AuditLimits(),
        forward: @escaping @Sendable (AuditEvent, UInt64, Int64) -> Void = { _, _, _ in }
    ) throws {
        self.forward = forward
        files = AuditFiles(folder: folder)
        self.limits = limits
        let (stream, source) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wakeups = stream
        wake = { source.yield() }
        let opening = try AuditOpening(files, keyPath: keyPath ?? folder + "/audit.key")
        key = opening.key
        anchor = try files.open(files.anchor, O_RDWR)
        if opening.anchor == nil { ftruncate(anchor, 0) }
        let log = AuditLog(try files.open(files.current, O_WRONLY | O_APPEND))
        state = Mutex(State(seq: opening.last.seq, hash: opening.last.hash, first: opening.last.first, log: log))
        keeper = Mutex(Keeper(anchor: opening.anchor, numbers: files.numbers()))
        for finding in opening.findings { try record(finding) }
        flush()
    }

    deinit {
        state.withLock { $0.log.close() }
        if anchor >= 0 { close(anchor) }
    }

    /// Chains one event to the trail.
    /// - Returns: the record's number.
    /// - Throws: UNAVAILABLE `credentials_unavailable` when a permission cannot be written, or too much waits.
    @discardableResult
    package func record(_ event: AuditEvent) throws(CallError) -> UInt64 {
        let now = Self.wallMilliseconds()
        let (seq, refusal) = state.withLock { state -> (UInt64, String?) in
            if let failure = state.failure, event.isPermission || state.log.isFull { return (0, failure) }
            let mark = state.log.mark
            let path = event.path.isEmpty ? [] : state.digests.digest(of: event.path, key)
            let hash = AuditLine.append(
                event, path: path, seq: state.seq + 1, at: now, prev: state.hash, key, to: &state.log.waiting)
            if !event.mayWait, state.damage == nil, !state.log.write(), event.isPermission {
                state.log.drop(to: mark)
                return (0, state.failure)
            }
            state.seq += 1
            state.hash = hash
            return (state.seq, nil)
        }
        wake()
        if let refusal {
            throw CallError(
                .unavailable, reason: "credentials_unavailable", message: "the audit trail cannot be kept: \(refusal)",
                retryAfter: .seconds(1), notProcessed: true)
        }
        forward(event, seq, now)
        return seq
    }

    /// Why the trail cannot be written; nil while it can.
    package var failure: String? { state.withLock { $0.failure } }

    /// Writes what waits, waits until the disk has it, moves the anchor, and puts a full file aside. Blocks.
    package func flush() {
        keeper.withLock { keeper in
            let (file, head, isFull) = state.withLock { state in
                _ = state.log.write()
                let head = AuditAnchor(seq: state.seq, hash: state.hash, first: state.first)
                return (state.log.file, state.failure == nil ? head : nil, state.log.size >= limits.fileBytes)
            }
            guard let head, head != keeper.anchor else { return }
            guard fdatasync(file) == 0 else { return failed(errno) }
            moveAnchor(head, &keeper)
            if isFull { putAside(&keeper) }
        }
    }

    /// A disk that lost what it had taken may say that all is well the next time: only space is waited for.
    private func failed(_ code: Int32) {
        let reason = String(cString: strerror(code))
        state.withLock { state in
            if code == ENOSPC || code == EDQUOT { state.log.failure = reason } else { state.damage = reason }
        }
    }

    private func moveAnchor(_ head: AuditAnchor, _ keeper: inout Keeper) {
        let text = head.text(key)
        // Its failure shows at the next start as an anchor that lags behind, which is harmless.
        _ = pwrite(anchor, text, text.count, 0)
        keeper.anchor = head
    }

    private func putAside(_ keeper: inout Keeper) {
        let number = (keeper.numbers.last ?? 0) + 1
        let full = files.full(number)
        // Calls wait for this lock: the disk is waited for after it.
        let old = state.withLock { state -> Int32? in
            guard state.log.write(), access(full, F_OK) != 0, rename(files.current, full) == 0 else { return nil }
            do throws(CallError) {
                let next = AuditLog(try files.open(files.current, O_WRONLY | O_APPEND))
                let old = state.log.file
                state.log = next
                keeper.numbers.append(number)
                return old
            } catch {
                rename(full, files.current)
                state.log.failure = error.message
                return nil
            }
        }
        if let old {
            // What went into the full file since is on the disk before the anchor speaks of a record behind it.
            if fdatasync(old) != 0 { failed(errno) }
            close(old)
        }
        dropOldest(&keeper)
    }

    /// Removes files beyond the bound: first on record and in the anchor, then from the disk.
    private func dropOldest(_ keeper: inout Keeper) {
        let excess = keeper.numbers.count - limits.kept
        guard excess > 0, let first = firstKept(after: keeper.numbers[excess - 1], keeper.numbers) else { return }
        state.withLock { $0.first = first }
        do {
            try record(AuditEvent("drop", "done", peer: "credentials", reason: "before_\(first)"))
        } catch {
            return
        }
        let head = state.withLock { AuditAnchor(seq: $0.seq, hash: $0.hash, first: $0.first) }
        moveAnchor(head, &keeper)
        for number in keeper.numbers.prefix(excess) { unlink(files.full(number)) }
        keeper.numbers.removeFirst(excess)
    }

    private func firstKept(after number: Int, _ numbers: [Int]) -> UInt64? {
        let path = numbers.first { $0 > number }.map(files.full) ?? files.current
        do {
            return try AuditFiles.first(of: path)
        } catch {
            return nil
        }
    }

    /// Checks the whole trail. Blocks.
    package func verify() -> AuditVerification {
        flush()
        return keeper.withLock { keeper in
            let (head, size, length, failure) = state.withLock { state in
                let failure = state.log.write() ? nil : state.failure
                let head = AuditAnchor(seq: state.seq, hash: state.hash, first: state.first)
                // With the lock held the file is as long as what was written.
                return (head, state.log.size, files.currentBytes, failure)
            }
            if let failure { return AuditVerification(records: 0, problem: "it cannot be written: \(failure)") }
            var found = AuditVerification.run(files, key, head: head, currentBytes: size)
            if found.problem == nil, length > size {
                found.problem = "\(length - size) bytes that were not written by this process follow record \(head.seq)"
            }
            if found.problem == nil, let anchor = keeper.anchor, AuditAnchor.read(files.anchor, key) != .good(anchor) {
                found.problem = "audit.anchor was put back to an earlier state; the \(found.records) records are in order"
            }
            return found
        }
    }

    /// The last records of the file that is written, oldest first. Blocks.
    package func tail(_ count: Int) throws -> [Substring] {
        flush()
        return try keeper.withLock { keeper in
            var lines = try AuditFiles.end(of: files.current).lines
            if lines.count < count, let number = keeper.numbers.last {
                lines = try AuditFiles.end(of: files.full(number)).lines + lines
            }
            return lines.suffix(max(0, count)).map { String(decoding: $0, as: UTF8.self)[...] }
        }
    }

    static func wallMilliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
