import BulkheadAPI
import BulkheadObservability
import BulkheadStore

/// What session counts.
package struct SessionMetrics: Sendable {
    /// What became of a settlement.
    enum Settlement: String, CaseIterable {
        case counted
        case repeated
        case unused
        case unknown
    }

    private let verdicts: [SessionAPI.Verdict: Counter]
    private let settlements: [Settlement: Counter]
    private let commits: Counter
    private let operations: Counter
    private let failures: Counter
    private let unserved: [UnservedReason: Counter]
    private let commitTime: Timing
    private let staleFences: Counter
    private let streamsRead: Gauge
    private let waitTime: Timing
    private let checkpoints: Counter
    private let checkpointFailures: Counter
    private let registry: MetricsRegistry
    private let keys: Gauge
    private let subjects: Gauge
    private let reservations: Gauge
    private let runaways: Counter
    private let reports: (taken: Counter, repeated: Counter)
    private let alerts: [Int: Counter]
    private let unpriced: Counter
    private let endsPending: Gauge
    private let endsDropped: Counter

    /// Instruments that nobody reads.
    package init() { self.init(MetricsRegistry(service: "session")) }

    /// Registers the instruments.
    package init(_ registry: MetricsRegistry) {
        verdicts = Dictionary(
            uniqueKeysWithValues: SessionAPI.Verdict.allCases.map { verdict in
                let labels = [(name: "verdict", value: "\(verdict)")]
                return (verdict, registry.counter("session_admissions", help: "Admissions by verdict.", labels: labels))
            })
        settlements = Dictionary(
            uniqueKeysWithValues: Settlement.allCases.map { outcome in
                let labels = [(name: "outcome", value: outcome.rawValue)]
                return (outcome, registry.counter("session_settlements", help: "Settlements by outcome.", labels: labels))
            })
        commits = registry.counter("session_store_commits", help: "Transactions made durable.")
        operations = registry.counter("session_store_operations", help: "Operations in those transactions.")
        failures = registry.counter("session_store_failures", help: "Transactions the store refused.")
        unserved = Dictionary(
            uniqueKeysWithValues: UnservedReason.allCases.map { reason in
                let labels = [(name: "reason", value: reason.rawValue)]
                let help = "Operations not served: no connection was free, or the work not done, in time; or too many waited."
                return (reason, registry.counter("session_store_unserved", help: help, labels: labels))
            })
        commitTime = registry.timing("session_store_commit", help: "Time from begin to durable.")
        staleFences = registry.counter(
            "session_stale_fences", help: "Words on an Idempotency-Key's claim that another admission holds, or that has ended.")
        streamsRead = registry.gauge("session_streams_read", help: "Kept streams that are being read or followed.")
        waitTime = registry.timing(
            "session_store_wait", help: "Time the first operation of a commit, or a connection's next user, waited.")
        checkpoints = registry.counter("session_store_checkpoints", help: "Times SQLite's log was written back.")
        checkpointFailures = registry.counter("session_store_checkpoint_failures", help: "Times that failed; nothing is lost.")
        self.registry = registry
        keys = registry.gauge("session_keys", help: "API keys, revoked and expired ones included.")
        subjects = registry.gauge("session_limit_subjects", help: "Keys, users and tenants whose rate is held in memory.")
        reservations = registry.gauge("session_reservations", help: "Admitted requests whose end was not reported yet.")
        runaways = registry.counter("session_runaway_refusals", help: "Calls refused because nearly the same came too often.")
        unpriced = registry.counter(
            "session_unpriced_requests", help: "Requests that used tokens of unknown price: no budget counts them.")
        endsPending = registry.gauge("session_limit_ends_pending", help: "Ends of requests that Redis has not heard of yet.")
        endsDropped = registry.counter(
            "session_limit_ends_dropped",
            help: "Ends that Redis will not hear of: too many waited. What they held there is free after its lease.")
        let report = { (outcome: String) in
            registry.counter(
                "session_spend_reports", help: "Reports on what was spent while session was away.",
                labels: [("outcome", outcome)])
        }
        reports = (report("taken"), report("repeated"))
        alerts = Dictionary(
            uniqueKeysWithValues: BudgetBook.thresholds.map { threshold in
                let labels = [(name: "threshold", value: "\(threshold)")]
                return (
                    threshold,
                    registry.counter("session_budget_alerts", help: "Budgets spent to so many percent.", labels: labels)
                )
            })
    }

    func settledUnpriced() { unpriced.add() }

    func droppedEnd() { endsDropped.add() }

    func refusedRunaway() { runaways.add() }

    func reported(isRepeated: Bool) { (isRepeated ? reports.repeated : reports.taken).add() }

    func alerted(_ threshold: Int) { alerts[threshold]?.add() }

    func admitted(_ verdict: SessionAPI.Verdict) { verdicts[verdict]?.add() }

    func settled(_ outcome: Settlement) { settlements[outcome]?.add() }

    func staleFence() { staleFences.add() }

    func followed(_ count: Int) { streamsRead.set(count) }

    func committed(_ outcome: CommitOutcome) {
        commitTime.record(microseconds: outcome.took.nanosecondsClamped / 1000)
        waitTime.record(microseconds: outcome.waited.nanosecondsClamped / 1000)
        if outcome.failure != nil { return failures.add() }
        commits.add()
        operations.add(outcome.operations)
    }

    func leftUnserved(_ reason: UnservedReason) { unserved[reason]?.add() }

    func wroteBack(_ outcome: CheckpointOutcome) { (outcome.failure == nil ? checkpoints : checkpointFailures).add() }

    /// Brings the times of statements up to date. The log bounds how many there are.
    func collect(_ log: StatementLog) {
        for (name, times) in log.times {
            registry.timing("session_store_statement", help: "Time of each statement.", labels: [("statement", name)])
                .replace(
                    with: times.buckets.map { ($0.upTo.nanosecondsClamped / 1000, $0.runs) },
                    microseconds: times.total.nanosecondsClamped / 1000)
        }
    }

    func collect(keys count: Int, subjects known: Int, reservations held: Int, endsPending pending: Int) {
        endsPending.set(pending)
        keys.set(count)
        subjects.set(known)
        reservations.set(held)
    }
}

extension StoreObserver {
    /// Tells the metrics and the log, and of each commit one more.
    static func of(
        _ metrics: SessionMetrics, _ log: StatementLog, commit: @escaping @Sendable (CommitOutcome) -> Void
    ) -> StoreObserver {
        StoreObserver(
            commit: { outcome in
                metrics.committed(outcome)
                log.waited(outcome.waited)
                log.record(StatementOutcome(name: "transaction", took: outcome.took, rows: outcome.operations))
                commit(outcome)
            }, ran: { log.record($0) }, checkpoint: { metrics.wroteBack($0) }, unserved: { metrics.leftUnserved($0) })
    }
}
