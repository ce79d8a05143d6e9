/// Idempotency-Keys and the streams they keep.
enum ClaimSchema {
    static let sqlite = "DROP TABLE idempotency;\n" + tables
    static let postgres = tables.forPostgres

    /// `key_hash` is keyed: the Idempotency-Key itself is not stored. `fence` grows with every admission that takes the row over;
    /// words of an earlier one change nothing.
    private static let tables = """
        CREATE TABLE claim (
            tenant TEXT NOT NULL, key_hash BLOB NOT NULL,
            owner TEXT NOT NULL, route TEXT NOT NULL, request_digest BLOB NOT NULL,
            admission TEXT NOT NULL UNIQUE, fence INTEGER NOT NULL, phase INTEGER NOT NULL,
            holder INTEGER NOT NULL, lease_until INTEGER NOT NULL,
            request_id TEXT NOT NULL,
            created_at INTEGER NOT NULL, dispatched_at INTEGER, completed_at INTEGER, expires_at INTEGER,
            status INTEGER, content_type TEXT, headers TEXT, body BLOB,
            is_retained INTEGER NOT NULL, is_duplicate INTEGER NOT NULL,
            stream_id TEXT, last_seq INTEGER NOT NULL, is_incomplete INTEGER NOT NULL,
            PRIMARY KEY (tenant, key_hash)
        ) STRICT;
        CREATE INDEX claim_expiry ON claim (expires_at) WHERE expires_at IS NOT NULL;
        CREATE INDEX claim_stream ON claim (stream_id) WHERE stream_id IS NOT NULL;
        CREATE TABLE stream_piece (
            stream_id TEXT NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (stream_id, seq)
        ) STRICT, WITHOUT ROWID;

        """
}
