/// Keys and tenants.
enum KeySchema {
    /// The first layout, with the table of Idempotency-Keys that `ClaimSchema` replaces.
    static let firstSQLite = keys(user: "user") + idempotency
    static let firstPostgres = keys(user: "user_name").forPostgres

    /// `user` is a word of PostgreSQL's own.
    static let renameSQLite = "ALTER TABLE api_key RENAME COLUMN user TO user_name;\n"

    private static func keys(user: String) -> String {
        """
        CREATE TABLE api_key (
            id TEXT PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            tenant TEXT NOT NULL,
            \(user) TEXT,
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
    }

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

        """

    /// `prefix` is what of a key is shown. `account` is the first key of those that were rotated into it, for which all of them count;
    /// empty: the key itself. `changed_at` lets suites that share a store hear of each other's changes. The tenant of
    /// the empty name stands for all; `reason` is why it is blocked.
    static let tenants = """
        ALTER TABLE api_key ADD COLUMN prefix TEXT NOT NULL DEFAULT '';
        ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
        ALTER TABLE api_key ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE api_key ADD COLUMN account TEXT NOT NULL DEFAULT '';
        CREATE INDEX api_key_account ON api_key (account);
        CREATE INDEX api_key_changed ON api_key (changed_at, id);
        CREATE TABLE tenant (
            tenant TEXT PRIMARY KEY,
            blocked_at INTEGER, reason TEXT, frozen_at INTEGER,
            changed_at INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX tenant_changed ON tenant (changed_at, tenant);
        CREATE TABLE setting (
            name TEXT PRIMARY KEY,
            value BLOB NOT NULL
        ) STRICT, WITHOUT ROWID;

        """
}
