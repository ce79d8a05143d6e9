import BulkheadCore
import BulkheadPostgres
import Testing

@Suite("Where a PostgreSQL server is")
struct TargetTests {
    private static func failure(_ url: String, passwordFile: String? = nil) -> String {
        let target = PostgresTarget(url: url, passwordFile: passwordFile, applicationName: "test")
        let error = #expect(throws: PostgresError.self) { _ = try PostgresConnection.open(target) }
        return error.map { "\($0)" } ?? ""
    }

    @Test("a password file that cannot be read is named")
    func passwordFile() {
        #expect(Self.failure("postgresql:///db", passwordFile: "/no/such/file").contains("/no/such/file"))
    }

    @Test(
        "no error holds the password",
        arguments: [
            "postgresql://u:hunter22@[broken/db", "postgresql://u:hunter22@127.0.0.1:1/db", "postgresql://u:hunter22@/d?host=/no",
        ])
    func secrecy(url: String) {
        let said = Self.failure(url)
        #expect(!said.isEmpty && !said.contains("hunter22"))
    }
}
