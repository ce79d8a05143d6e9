import GRDB

/// The tables of `telemetry.sqlite`. Money is billionths of a US dollar. A migration that has been released is never changed.
enum TelemetrySchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 events, cursors, rollups") { db in
            try db.execute(sql: events)
            try db.execute(sql: cursors)
            try db.execute(sql: rollups)
        }
        migrator.registerMigration("2 credential records") { db in
            try db.execute(sql: credentialRecords)
        }
        migrator.registerMigration("3 possible duplicates") { db in
            try db.execute(sql: "ALTER TABLE event ADD COLUMN possible_duplicate INTEGER NOT NULL DEFAULT 0")
        }
        return migrator
    }

    /// One row a request. `span_id` is made of who reported it and its number, so it is the same after a replay.
    private static let events = """
        CREATE TABLE event (
            id INTEGER PRIMARY KEY,
            span_id TEXT NOT NULL, producer TEXT NOT NULL,
            started_ns INTEGER NOT NULL, duration_us INTEGER NOT NULL, first_token_us INTEGER, overhead_us INTEGER,
            request_id TEXT NOT NULL, trace_id TEXT NOT NULL,
            tenant TEXT NOT NULL, user TEXT NOT NULL, key_id TEXT NOT NULL, route TEXT NOT NULL,
            alias TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
            status INTEGER NOT NULL, error_code TEXT NOT NULL, cache TEXT NOT NULL,
            streamed INTEGER NOT NULL, attempts INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nanousd INTEGER,
            degraded TEXT NOT NULL
        ) STRICT;
        CREATE INDEX event_started ON event (started_ns);
        CREATE INDEX event_request ON event (request_id);
        CREATE INDEX event_trace ON event (trace_id);
        """

    /// Up to which number the events of a producer's run are stored; moves in the transaction that stores them.
    private static let cursors = """
        CREATE TABLE ingest_cursor (
            producer TEXT NOT NULL, instance TEXT NOT NULL,
            acknowledged INTEGER NOT NULL, dropped INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
            PRIMARY KEY (producer, instance)
        ) STRICT, WITHOUT ROWID;
        """

    private static let rollups = """
        CREATE TABLE rollup_minute (
            minute INTEGER NOT NULL, tenant TEXT NOT NULL, alias TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL,
            route TEXT NOT NULL, status_class INTEGER NOT NULL,
            requests INTEGER NOT NULL, errors INTEGER NOT NULL, cache_hits INTEGER NOT NULL, unpriced INTEGER NOT NULL,
            input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_nanousd INTEGER NOT NULL,
            duration_us INTEGER NOT NULL, latency BLOB NOT NULL, first_token BLOB NOT NULL,
            PRIMARY KEY (minute, tenant, alias, provider, model, route, status_class)
        ) STRICT, WITHOUT ROWID;
        """

    /// One row a record of credentials' audit trail. What a run of credentials has delivered is in `ingest_cursor`, in columns
    /// of its own.
    private static let credentialRecords = """
        CREATE TABLE credential_record (
            id INTEGER PRIMARY KEY,
            seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, event TEXT NOT NULL, decision TEXT NOT NULL, peer TEXT NOT NULL,
            destination TEXT NOT NULL, secret TEXT NOT NULL, method TEXT NOT NULL, reason TEXT NOT NULL,
            request_id TEXT NOT NULL, tenant TEXT NOT NULL, status INTEGER NOT NULL, redactions INTEGER NOT NULL
        ) STRICT;
        CREATE INDEX credential_record_at ON credential_record (at_ms);
        ALTER TABLE ingest_cursor ADD COLUMN credentials INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE ingest_cursor ADD COLUMN credentials_dropped INTEGER NOT NULL DEFAULT 0;
        """
}
