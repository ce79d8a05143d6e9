/// What was spent.
enum SpendSchema {
    static let firstSQLite = spend
    static let firstPostgres = spend.forPostgres

    private static let spend = """
        CREATE TABLE spend (
            key_id TEXT NOT NULL, day INTEGER NOT NULL, tenant TEXT NOT NULL,
            requests INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
            cost_nanousd INTEGER NOT NULL,
            PRIMARY KEY (key_id, day)
        ) STRICT, WITHOUT ROWID;

        """

    /// `spend_report` has the names of reports that were taken in. `subject` is as in `LimitSubject.text`; a window begins at a multiple of its length.
    static let budgets = """
        ALTER TABLE spend ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE budget_spend (
            tenant TEXT NOT NULL, subject TEXT NOT NULL, window_start INTEGER NOT NULL, window_end INTEGER NOT NULL,
            spent_nanousd INTEGER NOT NULL,
            PRIMARY KEY (tenant, subject, window_start, window_end)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX budget_spend_end ON budget_spend (window_end);
        CREATE TABLE spend_report (id TEXT PRIMARY KEY, taken_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX spend_report_taken ON spend_report (taken_at);

        """
}
