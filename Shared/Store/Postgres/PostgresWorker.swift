import BulkheadCore
import BulkheadPostgres
import BulkheadResilience

/// One thread of a store, and its connection.
struct PostgresWorker: Sendable {
    let pool: PostgresPool
    let settings: PostgresSettings
    let schema: String
    let clock: PostgresClock
    let observer: StoreObserver

    /// Times a body is run anew at most, after a deadlock or a connection that was lost before the commit.
    static let mostReruns = 3

    /// Works until the store is closed. Blocks.
    func serve() {
        defer { pool.ended() }
        var backoff = Backoff(
            base: settings.backoff.lowerBound, limit: settings.backoff.upperBound, seed: .random(in: .min ... .max))
        while pool.needsConnection() {
            do {
                let session = try PostgresSession(settings.target)
                backoff.reset()
                pool.connected()
                serve(session)
                pool.disconnected()
            } catch {
                pool.connectFailed("\(error)", pause: backoff.next())
            }
        }
    }

    /// Works until the connection is lost or the store is closed.
    private func serve(_ session: PostgresSession) {
        while let works = pool.nextWork() {
            // Closed by the server while it was idle: the work has not met it yet.
            guard session.connection.isAlive else { return works.reversed().forEach(pool.resubmit) }
            guard perform(works, session), readClock(session) else { return }
        }
    }

    private func readClock(_ session: PostgresSession) -> Bool {
        guard clock.isDue else { return true }
        do {
            try clock.read(session.connection)
            return true
        } catch {
            // Whatever it was, the next work gets a connection that answers.
            return false
        }
    }

    /// - Returns: false when the connection is of no further use.
    func perform(_ work: PostgresWork, _ session: PostgresSession) -> Bool {
        var work = work
        let began = MonotonicTime.now()
        let deadline = limit(of: work, from: began)
        while true {
            guard deadline > .now() else {
                work.fail(StoreFailure.late)
                return true
            }
            let transaction = PostgresTransaction(
                session: session, schema: schema, now: clock.now, deadline: deadline, observer: observer)
            do {
                let tell = try work.run(transaction)
                try transaction.commit()
                report([work], began, nil)
                tell()
                return true
            } catch {
                work.tries += 1
                switch settle(error, transaction, work, began) {
                case .rerun: continue
                case .keep: return true
                case .drop: return false
                }
            }
        }
    }

    func limit(of work: PostgresWork, from began: MonotonicTime) -> MonotonicTime {
        work.deadline == .never ? began + settings.limit : work.deadline
    }

    private enum Next {
        case rerun
        case keep
        case drop
    }

    private func settle(
        _ error: any Error, _ transaction: PostgresTransaction, _ work: PostgresWork, _ began: MonotonicTime
    ) -> Next {
        // What a body makes of a failed statement does not count: nothing of it is kept.
        guard let failure = transaction.failure ?? (error as? PostgresError) else {
            let isGood = transaction.rollBack()
            work.fail(error as? CallError ?? StoreFailure.unavailable("unexpected failure"))
            return isGood ? .keep : .drop
        }
        if transaction.isInDoubt {
            if failure == .silent { pool.wentAway("\(failure)") }
            fail(work, began, StoreFailure.doubtful("\(failure)"))
            return .drop
        }
        return settle(PostgresVerdict(failure), transaction, work, began)
    }

    private func settle(
        _ verdict: PostgresVerdict, _ transaction: PostgresTransaction, _ work: PostgresWork, _ began: MonotonicTime
    ) -> Next {
        switch verdict {
        case .rerun(let error):
            let isGood = transaction.rollBack()
            guard work.tries <= Self.mostReruns else {
                fail(work, began, StoreFailure.unavailable("\(error), \(work.tries) times"))
                return isGood ? .keep : .drop
            }
            if isGood { return .rerun }
            pool.resubmit(work)
        case .reconnect(let error):
            if work.tries <= Self.mostReruns {
                pool.resubmit(work)
            } else {
                fail(work, began, StoreFailure.unavailable("\(error)"))
            }
        case .silent:
            pool.wentAway("\(PostgresError.silent)")
            fail(work, began, StoreFailure.unavailable("\(PostgresError.silent)"))
        case .fail(let error):
            let isGood = transaction.rollBack()
            fail(work, began, error)
            return isGood ? .keep : .drop
        }
        return .drop
    }

    private func fail(_ work: PostgresWork, _ began: MonotonicTime, _ error: CallError) {
        // A mistake of the statement or its values says nothing of the store.
        if error.code == .unavailable || error.code == .deadlineExceeded { report([work], began, error.message) }
        work.fail(error)
    }

    func report(_ works: [PostgresWork], _ began: MonotonicTime, _ failure: String?) {
        let since = works.lazy.map(\.since).min() ?? began
        observer.commit(CommitOutcome(operations: works.count, took: .now() - began, waited: began - since, failure: failure))
    }
}
