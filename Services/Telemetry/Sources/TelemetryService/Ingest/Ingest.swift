import BulkheadAPI
import BulkheadCore
import GRDB
import Synchronization

/// Takes batches of events and audit records in. Events, sums, records and the producer's cursors are stored in one transaction, so that a batch that is
/// sent again, for whatever reason and after whatever restart, counts once.
package final class Ingest: Sendable {
    /// Events of one batch.
    static let batchLimit = 10_000
    /// Batches that may wait for the store; each producer has one on its way.
    static let maximumWaiting = 64
    /// What a producer may send next: about a tenth of a second's work.
    static let credit = 1000

    private let store: TelemetryStore
    private let metrics: TelemetryMetrics
    private let waiting = Mutex(0)

    /// An intake into `store`.
    package init(store: TelemetryStore, metrics: TelemetryMetrics) {
        self.store = store
        self.metrics = metrics
    }

    /// Stores a batch and returns when it is durable.
    /// - Parameters:
    ///   - producer: the service at the other end, as the connection knows it.
    ///   - now: milliseconds since 1970.
    /// - Throws: INVALID_ARGUMENT for a batch that cannot be; RESOURCE_EXHAUSTED when the store cannot take it, so that the
    ///   producer keeps it.
    package func take(_ request: TelemetryAPI.IngestRequest, producer: String, now: Int64) async throws
        -> TelemetryAPI.IngestReply
    {
        try validate(request, producer)
        guard enter() else {
            throw CallError(
                .resourceExhausted, reason: "busy", message: "\(Self.maximumWaiting) batches wait for the store already",
                retryAfter: .seconds(1), notProcessed: true)
        }
        defer { waiting.withLock { $0 -= 1 } }
        let batch = Batch(request, producer: producer, now: now)
        do {
            let taken = try await store.write { db in try batch.store(db) }
            metrics.ingested(batch.events.suffix(taken.new), replayed: batch.events.count - taken.new, dropped: taken.dropped)
            metrics.recorded(batch.records.suffix(taken.newRecords), replayed: batch.records.count - taken.newRecords)
            return TelemetryAPI.IngestReply(
                acknowledged: taken.cursor.events, credit: Self.credit, acknowledgedCredentials: taken.cursor.records)
        } catch {
            metrics.refused(error)
            let said = (error as? DatabaseError)?.message ?? "unexpected failure"
            throw CallError(
                .resourceExhausted, reason: "store_unavailable",
                message: "telemetry cannot store events (\(said)): keep them; check the disk's free space and health",
                retryAfter: .seconds(1), notProcessed: true)
        }
    }

    private func enter() -> Bool {
        waiting.withLock { waiting in
            guard waiting < Self.maximumWaiting else { return false }
            waiting += 1
            return true
        }
    }

    private func validate(_ request: TelemetryAPI.IngestRequest, _ producer: String) throws {
        let problem: String? =
            if !(1 ... 64).contains(request.instance.utf8.count) {
                "instance is \(request.instance.utf8.count) bytes long, allowed are 1 to 64"
            } else if request.events.count > Self.batchLimit {
                "the batch holds \(request.events.count) events, allowed are \(Self.batchLimit)"
            } else if request.credentials.count > Self.batchLimit {
                "the batch holds \(request.credentials.count) audit records, allowed are \(Self.batchLimit)"
            } else if !request.credentials.isEmpty, producer != ServiceName.credentials.rawValue {
                "audit records are taken from credentials only"
            } else if !(1 ... 1 << 60).contains(request.firstSequence) {
                "first_sequence is \(request.firstSequence), allowed are 1 to 2^60"
            } else if !((request.credentials.isEmpty ? 0 : 1) ... 1 << 60).contains(request.firstCredential) {
                "first_credential is \(request.firstCredential), allowed are 1 to 2^60"
            } else {
                nil
            }
        if let problem { throw CallError(.invalidArgument, reason: "invalid_request", message: problem) }
    }
}

/// How far a producer's run is stored, and what it had to drop.
private struct Cursor: Sendable {
    var events = 0
    var dropped = 0
    var records = 0
    var recordsDropped = 0

    static func read(_ producer: String, _ instance: String, _ db: Database) throws -> Cursor {
        let select = try db.cachedStatement(
            sql: """
                SELECT acknowledged, dropped, credentials, credentials_dropped FROM ingest_cursor
                WHERE producer = ? AND instance = ?
                """)
        guard let row = try Row.fetchOne(select, arguments: [producer, instance]) else { return Cursor() }
        return Cursor(events: row[0], dropped: row[1], records: row[2], recordsDropped: row[3])
    }

    func write(_ producer: String, _ instance: String, now: Int64, _ db: Database) throws {
        let replace = try db.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO ingest_cursor
                    (producer, instance, acknowledged, dropped, credentials, credentials_dropped, seen_ms)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """)
        try replace.execute(arguments: [producer, instance, events, dropped, records, recordsDropped, now])
    }
}

/// One batch, ready to be stored.
private struct Batch: Sendable {
    struct Taken: Sendable {
        /// As it is from now on.
        var cursor: Cursor
        /// Events that were not stored before; they are the last of the batch.
        var new: Int
        /// The same of records.
        var newRecords: Int
        /// Events and records the producer has dropped since it said so last.
        var dropped: Int
    }

    let events: [TelemetryAPI.RequestEvent]
    let records: [TelemetryAPI.CredentialRecord]
    private let producer: String
    private let instance: String
    private let first: Int
    private let dropped: Int
    private let firstRecord: Int
    private let recordsDropped: Int
    private let now: Int64

    init(_ request: TelemetryAPI.IngestRequest, producer: String, now: Int64) {
        events = request.events.map(EventRules.sane)
        records = request.credentials.map(EventRules.sane)
        self.producer = producer
        instance = request.instance
        first = request.firstSequence
        dropped = max(0, request.dropped)
        firstRecord = request.firstCredential
        recordsDropped = max(0, request.credentialsDropped)
        self.now = now
    }

    func store(_ db: Database) throws -> Taken {
        let known = try Cursor.read(producer, instance, db)
        let replayed = min(events.count, max(0, known.events - first + 1))
        let replayedRecords = min(records.count, max(0, known.records - firstRecord + 1))
        try storeEvents(from: replayed, db)
        for record in records.dropFirst(replayedRecords) { try CredentialTable.insert(record, db) }
        let next = Cursor(
            events: max(known.events, first + events.count - 1), dropped: max(dropped, known.dropped),
            records: max(known.records, firstRecord + records.count - 1),
            recordsDropped: max(recordsDropped, known.recordsDropped))
        try next.write(producer, instance, now: now, db)
        return Taken(
            cursor: next, new: events.count - replayed, newRecords: records.count - replayedRecords,
            dropped: next.dropped - known.dropped + next.recordsDropped - known.recordsDropped)
    }

    private func storeEvents(from replayed: Int, _ db: Database) throws {
        var sums: [RollupKey: RollupSums] = [:]
        for (offset, event) in events.enumerated().dropFirst(replayed) {
            let span = EventTable.spanID(producer: producer, instance: instance, sequence: first + offset)
            try EventTable.insert(event, spanID: span, producer: producer, db)
            sums[RollupKey(event), default: RollupSums()].add(event)
        }
        for (key, sums) in sums { try RollupTable.add(sums, to: key, db) }
    }
}
