import BulkheadCore
import BulkheadPostgres
import DequeModule

// Operations that wait together share a transaction: their first statements go out in one write, and one commit makes all of
// them durable.
//
// TAKEN → (all first statements, all bodies, COMMIT) DONE, everybody is told. TAKEN → (one failed, or a lock was not had in
// `lockLimit`) undone → each ALONE. TAKEN → (the connection broke before the commit) back in the queue, to be done alone.
// TAKEN → (no answer to the commit) DOUBTFUL, everybody is told so.

extension PostgresPool {
    /// Operations that share a transaction at most: bounds how long a row of theirs is locked.
    static let companyLimit = 32
    /// Bytes of their first statements' values together.
    static let companyBytes = 256 << 10

    /// Those behind `first` that may share its transaction.
    static func company(of first: PostgresWork, in waiting: inout Deque<PostgresWork>) -> [PostgresWork] {
        var taken = [first]
        guard let head = first.shared?.first else { return taken }
        var bytes = head.bytes
        while taken.count < companyLimit, let next = waiting.first?.shared?.first {
            bytes += next.bytes
            guard bytes <= companyBytes, let work = waiting.popFirst() else { break }
            taken.append(work)
        }
        return taken
    }
}

extension PostgresWorker {
    /// How long one of a company may wait for a row that somebody else has locked; then each goes on alone.
    static let lockLimit = Duration.milliseconds(100)

    /// - Returns: false when the connection is of no further use.
    func perform(_ works: [PostgresWork], _ session: PostgresSession) -> Bool {
        guard works.count > 1 else { return works.first.map { perform($0, session) } ?? true }
        let began = MonotonicTime.now()
        var parts: [(work: PostgresWork, shared: PostgresWork.Shared)] = []
        for work in works {
            if work.deadline <= began {
                work.fail(StoreFailure.late)
            } else if let shared = work.shared {
                parts.append((work, shared))
            }
        }
        parts.sort { FirstStatement.precedes($0.shared.first, $1.shared.first) }
        let due = parts.map(\.work)
        guard due.count > 1 else { return perform(due, session) }
        let transaction = PostgresTransaction(
            session: session, schema: schema, now: clock.now, deadline: due.map { limit(of: $0, from: began) }.min() ?? began,
            lockLimit: Self.lockLimit, observer: observer)
        do {
            let rows = try transaction.rowsOfEach(parts.map(\.shared.first))
            let tells = try zip(parts, rows).map { try $0.shared.run($1, transaction) }
            try transaction.commit()
            report(due, began, nil)
            for tell in tells { tell() }
            return true
        } catch {
            return settle(error, transaction, due, session, began)
        }
    }

    private func settle(
        _ error: any Error, _ transaction: PostgresTransaction, _ works: [PostgresWork], _ session: PostgresSession,
        _ began: MonotonicTime
    ) -> Bool {
        // What a body makes of a failed statement does not count: nothing of it is kept.
        guard let failure = transaction.failure ?? (error as? PostgresError) else {
            return apart(works, transaction, session)
        }
        if transaction.isInDoubt {
            if failure == .silent { pool.wentAway("\(failure)") }
            fail(works, began, StoreFailure.doubtful("\(failure)"))
            return false
        }
        switch PostgresVerdict(failure) {
        case .rerun, .fail: return apart(works, transaction, session)
        case .reconnect: resubmit(works)
        case .silent:
            pool.wentAway("\(failure)")
            fail(works, began, StoreFailure.unavailable("\(failure)"))
        }
        return false
    }

    /// Undoes what they did together, then each has a transaction of its own.
    private func apart(_ works: [PostgresWork], _ transaction: PostgresTransaction, _ session: PostgresSession) -> Bool {
        guard transaction.rollBack() else {
            resubmit(works)
            return false
        }
        for (index, work) in works.enumerated() where !perform(work, session) {
            resubmit(Array(works[(index + 1)...]))
            return false
        }
        return true
    }

    /// For another connection, and each alone: what broke this one may be among them.
    private func resubmit(_ works: [PostgresWork]) {
        for var work in works.reversed() {
            work.tries += 1
            work.shared = nil
            pool.resubmit(work)
        }
    }

    private func fail(_ works: [PostgresWork], _ began: MonotonicTime, _ error: CallError) {
        report(works, began, error.message)
        for work in works { work.fail(error) }
    }
}
