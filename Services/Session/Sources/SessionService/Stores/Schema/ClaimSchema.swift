/// Idempotency-Keys and the streams they keep.
enum ClaimSchema {
    static let sqlite = "DROP TABLE idempotency;\n" + tables
    static let postgres = tables.forPostgres

    /// `key_hash` is keyed: the Idempotency-Key itself is not stored. `fence` grows with every admission that takes the row over;
    /// words of an earlier one change nothing. `former_stream` is the stream the row had before its last change.
    /// `claim_created` is for operators' lists, which would hold up every admission of a large table of SQLite's.
    ///
    /// `stream_piece` has one row for a batch of pieces, `seq_from` to `seq_to`, each with its length in front; `first_byte` and
    /// `end_byte` count over the whole stream. `stream_gone` names streams nobody can ask for any more; their pieces are deleted
    /// once `due_at` has passed.
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
            stream_id TEXT, former_stream TEXT, last_seq INTEGER NOT NULL, is_full INTEGER NOT NULL,
            is_incomplete INTEGER NOT NULL,
            PRIMARY KEY (tenant, key_hash)
        ) STRICT;
        CREATE INDEX claim_expiry ON claim (expires_at) WHERE expires_at IS NOT NULL;
        CREATE INDEX claim_created ON claim (created_at);
        CREATE INDEX claim_open ON claim (lease_until) WHERE phase < 3;
        CREATE INDEX claim_stream ON claim (stream_id) WHERE stream_id IS NOT NULL;
        CREATE TABLE stream_piece (
            stream_id TEXT NOT NULL, seq_to INTEGER NOT NULL, seq_from INTEGER NOT NULL,
            first_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (stream_id, seq_to)
        ) STRICT;
        CREATE TABLE stream_gone (stream_id TEXT NOT NULL PRIMARY KEY, due_at INTEGER NOT NULL) STRICT;
        CREATE INDEX stream_gone_due ON stream_gone (due_at);

        """
}
