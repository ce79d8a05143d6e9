import BulkheadPostgres
import Testing

@Suite("libpq")
struct VersionTests {
    @Test("the client library has pipeline mode")
    func version() { #expect(PostgresVersion.client >= 140_000) }
}
