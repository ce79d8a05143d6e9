import BulkheadCore
import BulkheadStore
import SessionService
import Testing

@Suite("Migrations of a durable store")
struct MigrationTests {
    private static let second = Migration(
        "2 colour", sqlite: "ALTER TABLE scratch ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';",
        postgres: "ALTER TABLE scratch ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';")
    private static let later = StoreSchema(name: "session", migrations: Scratch.schema.migrations + [second])

    @Test("Opened again, a store keeps its rows and runs no migration twice", arguments: StoreUnderTest.all)
    func twice(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        for name in ["first", "second", "third"] {
            try await place.open(schema: Scratch.schema).transact { try Scratch.put(name, $0) }
        }
        #expect(try await Scratch.names(try await place.open(schema: Scratch.schema)) == ["first", "second", "third"])
    }

    @Test("What is missing is applied to the rows that are there", arguments: StoreUnderTest.all)
    func step(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        try await place.open(schema: Scratch.schema).transact { try Scratch.put("old", $0) }
        let colour = Statement("scratch.colour", "SELECT colour FROM scratch WHERE name = $1")
        let store = try await place.open(schema: Self.later)
        #expect(try await store.transact { try $0.rows(colour, [.text("old")]) } == [SQLRow([.text("red")])])
    }

    @Test("A store of a later version is refused, and left as it is", arguments: StoreUnderTest.all)
    func superseded(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        try await place.open(schema: Self.later).transact { try Scratch.put("new", $0) }
        let error = await #expect(throws: StoreOpenError.self) { _ = try await place.open(schema: Scratch.schema) }
        #expect(error?.description.contains("later version") == true)
        #expect(try await Scratch.names(try await place.open(schema: Self.later)) == ["new"])
    }

    @Test("A migration that fails leaves nothing of itself", arguments: StoreUnderTest.all)
    func broken(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        try await place.open(schema: Scratch.schema).transact { try Scratch.put("kept", $0) }
        let half = "CREATE TABLE half (a TEXT); INSERT INTO absent VALUES (1);"
        let wrong = StoreSchema(
            name: "session", migrations: Scratch.schema.migrations + [Migration("2 half", sqlite: half, postgres: half)])
        await #expect(throws: (any Error).self) { _ = try await place.open(schema: wrong) }
        let right = StoreSchema(
            name: "session",
            migrations: Scratch.schema.migrations + [
                Migration("2 whole", sqlite: "CREATE TABLE half (a TEXT);", postgres: "CREATE TABLE half (a TEXT);")
            ])
        #expect(try await Scratch.names(try await place.open(schema: right)) == ["kept"])
    }

    @Test("Check tells the kind, the migrations and the tables; migrate finds nothing to do", arguments: StoreUnderTest.all)
    func inspection(kind: StoreUnderTest) async throws {
        let store = try await kind.open()
        let found = try await store.inspection.check()
        #expect(found.store == store.kind && found.sound && found.problem == nil && !found.version.isEmpty && found.bytes > 0)
        #expect(found.migrations == SessionSchema.all.migrations.map(\.name) && found.missing.isEmpty)
        #expect(Set(found.tables.map(\.name)).isSuperset(of: ["api_key", "claim", "spend", "tenant"]))
        let done = try await store.inspection.migrate(dryRun: false)
        #expect(done.applied.isEmpty && done.present == found.migrations)
    }

    @Test(
        "What a store lacks, as after the return of an earlier copy, is told by check and by a dry run, and applied by migrate",
        arguments: StoreUnderTest.all)
    func missing(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        try await place.open(schema: Scratch.schema).transact { try Scratch.put("old", $0) }
        let store = try await place.open(schema: Self.later)
        let (record, undo) =
            kind == .sqlite
            ? ("DELETE FROM grdb_migrations WHERE identifier = $1", "ALTER TABLE scratch DROP COLUMN colour")
            : ("DELETE FROM bulkhead_migration WHERE name = $1", "ALTER TABLE scratch DROP COLUMN colour")
        try await store.transact { transaction in
            try transaction.run(Statement("test.forget", record), [.text("2 colour")])
            try transaction.run(Statement("test.undo", undo), [])
        }
        let found = try await store.inspection.check()
        #expect(!found.sound && found.missing == ["2 colour"] && found.migrations == ["1 scratch"])
        #expect(found.problem?.contains("2 colour") == true && found.problem?.contains("store migrate") == true)
        let planned = try await store.inspection.migrate(dryRun: true)
        #expect(planned.applied == ["2 colour"] && planned.present == ["1 scratch"] && planned.dryRun)
        #expect(try await store.inspection.check().missing == ["2 colour"], "a dry run changed something")
        #expect(try await store.inspection.migrate(dryRun: false).applied == ["2 colour"])
        #expect(try await store.inspection.check().sound)
        let colour = Statement("scratch.colour", "SELECT colour FROM scratch WHERE name = $1")
        #expect(try await store.transact { try $0.rows(colour, [.text("old")]) } == [SQLRow([.text("red")])])
    }
}
