import GRDB

/// Deletes what has been kept long enough, in transactions so small that ingest goes on between them.
package struct Retention: Sendable {
    /// Rows deleted in one transaction.
    static let batch = 500
    /// A producer's run that was silent for so long will not report again: its cursor goes.
    private static let cursorAge: Duration = .seconds(30 * 86_400)

    /// How long single events and audit records are kept.
    package var events: Duration
    /// How long sums by the minute are kept.
    package var rollups: Duration

    /// A retention of both.
    package init(events: Duration, rollups: Duration) {
        self.events = events
        self.rollups = rollups
    }

    /// Deletes at most one batch of each kind of row.
    /// - Parameter now: milliseconds since 1970.
    /// - Returns: rows deleted, and whether more wait.
    package func step(_ store: TelemetryStore, now: Int64) async throws -> (deleted: Int, more: Bool) {
        let limits = [
            ("event", "id", "started_ns", (now - Self.milliseconds(events)) * 1_000_000),
            ("credential_record", "id", "at_ms", now - Self.milliseconds(events)),
            ("ingest_cursor", "instance", "seen_ms", now - Self.milliseconds(Self.cursorAge)),
        ]
        let firstMinute = (now - Self.milliseconds(rollups)) / 60_000
        let counts = try await store.write { db in
            var counts: [Int] = []
            for (table, key, time, limit) in limits {
                try db.execute(
                    sql:
                        "DELETE FROM \(table) WHERE \(key) IN (SELECT \(key) FROM \(table) WHERE \(time) < ? LIMIT ?) AND \(time) < ?",
                    arguments: [limit, Self.batch, limit])
                counts.append(db.changesCount)
            }
            counts.append(try Self.deleteMinutes(before: firstMinute, db))
            return counts
        }
        return (counts.reduce(0, +), counts.contains { $0 >= Self.batch })
    }

    /// Whole minutes, oldest first, until a batch is full.
    private static func deleteMinutes(before limit: Int64, _ db: Database) throws -> Int {
        var deleted = 0
        while deleted < batch, let minute = try Int64.fetchOne(db, sql: "SELECT min(minute) FROM rollup_minute"), minute < limit {
            try db.execute(sql: "DELETE FROM rollup_minute WHERE minute = ?", arguments: [minute])
            deleted += db.changesCount
        }
        return deleted
    }

    private static func milliseconds(_ duration: Duration) -> Int64 { duration.components.seconds * 1000 }
}
