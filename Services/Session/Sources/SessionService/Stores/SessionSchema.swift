import GRDB

/// The tables of `session.sqlite`. Times are milliseconds since 1970, money is billionths of a US dollar. A migration that
/// has been released is never changed.
enum SessionSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 keys, idempotency, spend") { db in
            try db.execute(sql: keys)
            try db.execute(sql: idempotency)
            try db.execute(sql: spend)
        }
        return migrator
    }

    private static let keys = """
        CREATE TABLE api_key (
            id TEXT PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            tenant TEXT NOT NULL,
            user TEXT,
            is_admin INTEGER NOT NULL,
            may_assert_user INTEGER NOT NULL,
            destinations TEXT NOT NULL,
            models TEXT NOT NULL,
            rpm INTEGER, tpm INTEGER, concurrency INTEGER,
            budget_nanousd INTEGER, budget_window_ms INTEGER,
            created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER,
            replaces TEXT
        ) STRICT;
        """

    /// `admission` names the run that holds the row: a late settlement of a run that lost it changes nothing.
    private static let idempotency = """
        CREATE TABLE idempotency (
            tenant TEXT NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL,
            request_digest BLOB NOT NULL,
            admission TEXT NOT NULL UNIQUE,
            route TEXT NOT NULL,
            started_at INTEGER NOT NULL,
            finished_at INTEGER, expires_at INTEGER,
            status INTEGER, content_type TEXT, headers TEXT, body BLOB,
            PRIMARY KEY (tenant, owner, key)
        ) STRICT;
        CREATE INDEX idempotency_expiry ON idempotency (expires_at) WHERE expires_at IS NOT NULL;
        """

    private static let spend = """
        CREATE TABLE spend (
            key_id TEXT NOT NULL, day INTEGER NOT NULL, tenant TEXT NOT NULL,
            requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
            cost_nanousd INTEGER NOT NULL,
            PRIMARY KEY (key_id, day)
        ) STRICT, WITHOUT ROWID;
        """
}
