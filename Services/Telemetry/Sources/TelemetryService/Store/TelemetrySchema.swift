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
}
