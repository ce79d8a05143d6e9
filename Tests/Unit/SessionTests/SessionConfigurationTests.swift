import BulkheadConfig
import Foundation
import SessionService
import Testing

@Suite("The section session")
struct SessionConfigurationTests {
    private func load(_ text: String) throws -> SessionConfiguration {
        try loadConfiguration(SessionConfiguration.self, text: text, file: "bulkhead.yaml").service
    }

    @Test("An empty section gives every user 600 requests a minute and no budget")
    func defaults() throws {
        let configuration = try load("suite: { environment: dev }\n")
        #expect(configuration.perUser == IdentityLimits(requestsPerMinute: 600, tokensPerMinute: 200_000, concurrency: 32))
        #expect(configuration.perTenant == IdentityLimits())
        #expect(configuration.budgetPerUser == nil)
        #expect(configuration.idempotencyRetention == .seconds(86_400))
        #expect(configuration.conversationRetention == .seconds(90 * 86_400))
    }

    @Test("Every documented key is read")
    func every() throws {
        let configuration = try load(
            """
            session:
              limits: { per_user: { rpm: 1, tpm: 2, concurrency: 3 }, per_tenant: { rpm: 4, tpm: 5, concurrency: 6 } }
              budgets: { per_user_usd_per_day: 5, per_tenant_usd_per_day: 100.5 }
              runaway: { identical_calls: 20, window: 1m }
              retention: { conversations: 90d, idempotency: 2h }
              encryption: { key_file: /run/secrets/session-key }
              jobs: { workers: 8, max_attempts: 10 }
            """)
        #expect(configuration.perTenant == IdentityLimits(requestsPerMinute: 4, tokensPerMinute: 5, concurrency: 6))
        #expect(configuration.budgetPerTenant == 100.5)
        #expect(configuration.idempotencyRetention == .seconds(7200))
        #expect(configuration.encryptionKeyFile == "/run/secrets/session-key")
    }

    @Test("What the start refuses is told by check before, at its line")
    func unbuilt() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/bulkhead.yaml"
        try "session:\n  encryption: { key_file: /run/secrets/session-key }\n".write(
            toFile: path, atomically: true, encoding: .utf8)
        let problem = try #require(UnbuiltSettings.problems(path).first)
        #expect(problem.key == "session.encryption.key_file" && problem.line == 2)
        try "session: {}\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(UnbuiltSettings.problems(path).isEmpty)
    }

    @Test("All problems are reported at once")
    func problems() throws {
        let error = #expect(throws: ConfigProblems.self) {
            _ = try load(
                """
                session:
                  limits: { per_user: { rmp: 1 } }
                  runaway: { window: 3parsecs }
                  jobs: { workers: 0 }
                """)
        }
        #expect(error?.problems.map(\.line) == [2, 3, 4])
        #expect(error?.problems.first?.suggestion == "rpm")
    }
}
