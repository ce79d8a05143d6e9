import BulkheadCore
import BulkheadPostgres
import BulkheadStore
import NIOCore
import SessionService
import Testing

@Suite("PostgreSQL")
struct PostgresSchemaTests {
    @Test("eight that open an empty database at once make its tables once")
    func together() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()), connections: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0 ..< 8 {
                group.addTask {
                    try await place.withStore { store in
                        _ = try await store.transact { try $0.rows(Statement("test.count", "SELECT count(*) FROM api_key"), []) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("tables of a later version refuse the start")
    func later() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()))
        let later = StoreSchema(
            name: Counters.schema.name,
            migrations: Counters.schema.migrations + [
                Migration("2 later", sqlite: "", postgres: "CREATE TABLE later (x BIGINT);")
            ])
        try await place.withStore(schema: later) { _ in }
        let error = await #expect(throws: StoreOpenError.self) { try await place.withStore(schema: Counters.schema) { _ in } }
        #expect(error?.description.contains("2 later") == true)
    }

    @Test("a migration that fails leaves nothing behind")
    func broken() async throws {
        let server = try PostgresServer.shared.get()
        let database = try server.makeDatabase()
        let broken = StoreSchema(
            name: "session",
            migrations: [Migration("1 broken", sqlite: "", postgres: "CREATE TABLE half (x BIGINT); SELECT nonsense;")])
        let store = PostgresStore(PostgresPlace(url: server.url(database)).settings(), schema: broken)
        defer { store.close() }
        guard case .away(let reason) = try await store.firstContact() else {
            Issue.record("the store opened")
            return
        }
        #expect(reason.contains("nonsense"))
        #expect(try server.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'session'", database: database) == .integer(0))
    }

    @Test("each kind of value comes back as it went")
    func values() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.tcpURL(try server.makeDatabase()))
        let echo = Statement(
            "test.echo",
            """
            SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS BYTEA),
                CAST($6 AS BYTEA), CAST($7 AS TEXT), CAST(-7 AS INTEGER), CAST(-8 AS SMALLINT), true, CAST('v' AS VARCHAR)
            """)
        let sent: [SQLValue] = [
            .integer(Int64.min), .integer(Int64.max), .text("é\"'\\ 🙂"), .text(""), .bytes([0, 255, 7]), .bytes([]), .null,
        ]
        let rows = try await place.withStore { store in try await store.transact { try $0.rows(echo, sent) } }
        #expect(rows == [SQLRow(sent + [.integer(-7), .integer(-8), .integer(1), .text("v")])])
    }

    @Test("a text with a NUL is the caller's mistake, and a wrong statement ours")
    func mistakes() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()))
        try await place.withStore { store in
            let text = Statement("test.text", "SELECT CAST($1 AS TEXT)")
            let nul = try await refusal { _ = try await store.transact { try $0.rows(text, [.text("a\0b")]) } }
            #expect(nul.code == .invalidArgument)
            let wrong = try await refusal {
                _ = try await store.transact { try $0.rows(Statement("test.no", "SELECT nothing"), []) }
            }
            #expect(wrong.code == .internal)
            let twice = Statement("test.twice", "INSERT INTO setting (name, value) VALUES ($1, $2)")
            let double = try await refusal {
                for _ in 0 ..< 2 { _ = try await store.transact { try $0.run(twice, [.text("x"), .bytes([1])]) } }
            }
            #expect(double.code == .internal)
        }
    }

    @Test("the store's clock is the server's")
    func clock() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()))
        let told = Statement("test.clock", "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")
        try await place.withStore { store in
            let (ours, theirs) = try await store.transact { ($0.now, try $0.rows(told, []).first?.integer(0) ?? 0) }
            #expect(abs(ours - theirs) < 1000)
        }
    }

    @Test("a batch in one write changes each of its rows")
    func batch() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()))
        try await place.withStore(schema: Counters.schema) { store in
            try await store.transact { transaction in
                try transaction.runEach(Counters.add, (0 ..< 1000).map { [.text("n\($0)"), .integer(1)] })
            }
            #expect(try await store.transact { try $0.rows(Counters.sum, []) } == [SQLRow([.integer(1000), .integer(1000)])])
        }
    }
}
