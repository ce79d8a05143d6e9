import BulkheadCore
import BulkheadPostgres
import BulkheadStore
import SessionService
import Testing

@Suite("PostgreSQL behind a pooler in transaction mode")
struct PgBouncerTests {
    @Test("200 at once on four connections of which the pooler has three: all succeed")
    func many() async throws {
        try await StoreUnderTest.pgbouncer.withStore(schema: Counters.schema) { store in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0 ..< 200 { group.addTask { try await Counters.add("n\(number % 20)", to: store) } }
                try await group.waitForAll()
            }
            #expect(try await Counters.total(store) == 200)
        }
    }

    @Test("connections know whether a pooler stands between")
    func direct() throws {
        let server = try PostgresServer.shared.get()
        let database = try server.makeDatabase()
        let plain = try PostgresConnection.open(PostgresTarget(url: server.url(database), applicationName: "test"))
        let isDirect = plain.isDirect
        let pooled = try PostgresConnection.open(
            PostgresTarget(url: try PgBouncer.shared.get().url(database), applicationName: "test"))
        let isPooledDirect = pooled.isDirect
        #expect(isDirect && !isPooledDirect)
    }

    @Test("nothing of a transaction is left on the server's connection")
    func clean() async throws {
        let server = try PostgresServer.shared.get()
        let database = try server.makeDatabase()
        let place = PostgresPlace(url: try PgBouncer.shared.get().url(database), connections: 1)
        try await place.withStore(schema: Counters.schema) { store in
            for _ in 0 ..< 10 { try await Counters.add("n", to: store) }
            let pooled = try PostgresConnection.open(PostgresTarget(url: place.url, applicationName: "test"))
            let answer = try pooled.exchange(
                [
                    PostgresCommand(
                        """
                        SELECT current_setting('search_path'), current_setting('statement_timeout'),
                            (SELECT count(*) FROM pg_prepared_statements)
                        """)
                ], deadline: .now() + .seconds(5))
            #expect(try answer.row(0) == [.text("\"$user\", public"), .text("0"), .integer(0)])
        }
    }

    @Test("a change of tables under prepared statements costs nobody an error", arguments: [StoreUnderTest.postgres, .pgbouncer])
    func changed(kind: StoreUnderTest) async throws {
        let server = try PostgresServer.shared.get()
        let database = try server.makeDatabase()
        let url = kind == .postgres ? server.url(database) : try PgBouncer.shared.get().url(database)
        try await PostgresPlace(url: url).withStore(schema: Counters.schema) { store in
            let all = Statement("test.all", "SELECT * FROM counter")
            try await Counters.add("n", to: store)
            #expect(try await store.transact { try $0.rows(all, []) }.first?.values.count == 2)
            try server.script("ALTER TABLE session.counter ADD COLUMN more BIGINT", database: database)
            try await Counters.add("n", to: store)
            #expect(try await store.transact { try $0.rows(all, []) }.first?.values.count == 3)
        }
    }
}
