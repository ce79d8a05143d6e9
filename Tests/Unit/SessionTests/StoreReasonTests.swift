import SessionService
import Testing

@Suite("What is told of a store that fails")
struct StoreReasonTests {
    @Test(
        "Health tells why in words of its own, without paths, hosts and names",
        arguments: [
            (
                "connection to server on socket \"/run/pg/.s.PGSQL.5432\" failed: No such file or directory\n\tIs the server running?",
                "no such socket"
            ),
            ("connection to server at \"10.0.0.7\", port 5432 failed: Connection refused", "connection refused"),
            ("FATAL:  password authentication failed for user \"session\"", "the password was refused"),
            (
                "suite.stores.postgres.password_file /run/secrets/pg cannot be read: check its path",
                "the password file cannot be read"
            ),
            ("PostgreSQL did not answer in time", "no answer in time"),
            ("could not translate host name \"db.internal\" to address: Name or service not known", "the host name is not known"),
            ("the store failed (SQLite error 13: database or disk is full): nothing was changed", "the disk is full"),
            ("FATAL:  database \"bulkhead\" does not exist", "the database or the role does not exist"),
            ("server closed the connection unexpectedly", "the connection broke"),
            ("/var/lib/x: something nobody has seen", "see the log of session"),
        ])
    func told(_ said: String, _ expected: String) { #expect(StoreReason.told(said) == expected) }
}
