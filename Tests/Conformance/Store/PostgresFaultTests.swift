import BulkheadCore
import BulkheadPostgres
import BulkheadStore
import Foundation
import SessionService
import Synchronization
import Testing

/// What a test table holds.
enum Counters {
    static let schema = StoreSchema(
        name: "session",
        migrations: [
            Migration(
                "1 counters", sqlite: "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;",
                postgres: "CREATE TABLE counter (name TEXT PRIMARY KEY, value BIGINT NOT NULL);")
        ])
    static let add = Statement(
        "counter.add",
        """
        INSERT INTO counter (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = counter.value + excluded.value RETURNING value
        """)
    static let sum = Statement("counter.sum", "SELECT CAST(coalesce(sum(value), 0) AS BIGINT), count(*) FROM counter")
    static let standbys = Statement("counter.standbys", "SELECT current_setting('synchronous_standby_names')")
    static let sleep = Statement("counter.sleep", "SELECT 1 FROM pg_sleep(CAST($1 AS BIGINT))")

    static func add(_ name: String, to store: any DurableStore, deadline: MonotonicTime = .never) async throws {
        _ = try await store.transact(deadline: deadline) { try $0.rows(add, [.text(name), .integer(1)]) }
    }

    static func standbys(_ store: any DurableStore) async throws -> String {
        try await store.transact { try $0.rows(standbys, []).first?.text(0) ?? "" }
    }

    static func total(_ store: any DurableStore) async throws -> Int64 {
        try await store.transact { try $0.rows(sum, []).first?.integer(0) ?? 0 }
    }
}

/// A store on a server, with what it told of the server.
struct FaultBench {
    let server: PostgresServer
    let store: PostgresStore
    let told: Told
    /// Its name.
    let database: String

    final class Told: Sendable {
        private let states = Mutex<[StoreAvailability]>([])
        var last: StoreAvailability? { states.withLock { $0.last } }
        func append(_ state: StoreAvailability) { states.withLock { $0.append(state) } }
    }

    /// Runs `body` with a store in a database of its own.
    static func run<Value>(
        _ server: PostgresServer, connections: Int = 4, limit: Duration = .seconds(5), reachable: Bool = true,
        _ body: (FaultBench) async throws -> Value
    ) async throws -> Value {
        let database = reachable ? try server.makeDatabase() : "postgres"
        let url = server.url(database)
        var settings = PostgresSettings(PostgresTarget(url: url, applicationName: "bulkhead-test"), connections: connections)
        settings.limit = limit
        let told = Told()
        let store = PostgresStore(settings, schema: Counters.schema, availability: { told.append($0) })
        defer { store.close() }
        if reachable { try #require(try await store.firstContact() == .reachable) }
        return try await body(FaultBench(server: server, store: store, told: told, database: database))
    }

    /// Waits until work goes through again, and says how long that took.
    func recovery() async throws -> Duration {
        let began = MonotonicTime.now()
        while true {
            do {
                _ = try await Counters.total(store)
                return .now() - began
            } catch {
                try #require(MonotonicTime.now() - began < .seconds(20), "the store did not come back: \(error)")
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }
}

/// Until it holds, ten seconds at most.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
    let end = MonotonicTime.now() + .seconds(10)
    while try await !condition() {
        try #require(MonotonicTime.now() < end, what)
        try await Task.sleep(for: .milliseconds(5))
    }
}

func refusal(_ body: () async throws -> Void) async throws -> CallError {
    do {
        try await body()
    } catch let error as CallError {
        return error
    }
    throw StoreOpenError("no error was thrown")
}

@Suite("PostgreSQL under faults", .serialized)
struct PostgresFaultTests {
    @Test("a server that is killed is away at once, and used again within 2 s of its return; what was acknowledged is there")
    func killed() async throws {
        try await FaultBench.run(try PostgresServer()) { bench in
            for number in 0 ..< 20 { try await Counters.add("n\(number)", to: bench.store) }
            bench.server.kill()
            let began = MonotonicTime.now()
            let error = try await refusal { try await Counters.add("lost", to: bench.store) }
            #expect(error.code == .unavailable && error.reason == "store_unavailable")
            #expect(MonotonicTime.now() - began < .seconds(3))
            try bench.server.start()
            #expect(try await bench.recovery() < .seconds(3))
            #expect(try await Counters.total(bench.store) == 20)
            #expect(bench.told.last == .reachable)
        }
    }

    @Test(
        "a frozen server holds nobody beyond his deadline; while it is known to be away callers fail at once; thawed it is used")
    func frozen() async throws {
        try await FaultBench.run(try PostgresServer(), connections: 2) { bench in
            try await Counters.add("before", to: bench.store)
            bench.server.freeze()
            let store = bench.store
            let took = try await withThrowingTaskGroup(of: Duration.self) { group in
                for number in 0 ..< 20 {
                    group.addTask {
                        let began = MonotonicTime.now()
                        let error = try await refusal {
                            try await Counters.add("\(number)", to: store, deadline: began + .seconds(1))
                        }
                        #expect([.unavailable, .deadlineExceeded].contains(error.code), "\(error)")
                        return .now() - began
                    }
                }
                return try await group.reduce(.zero) { max($0, $1) }
            }
            #expect(took < .milliseconds(2500))
            let began = MonotonicTime.now()
            let error = try await refusal { try await Counters.add("later", to: store) }
            #expect(error.code == .unavailable && error.notProcessed)
            #expect(MonotonicTime.now() - began < .milliseconds(500))
            bench.server.thaw()
            #expect(try await bench.recovery() < .seconds(5))
            try await Counters.add("after", to: store)
        }
    }

    @Test("connections that an operator ends cost no caller an error")
    func terminated() async throws {
        try await FaultBench.run(try PostgresServer()) { bench in
            let store = bench.store
            for _ in 0 ..< 5 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0 ..< 50 { group.addTask { try await Counters.add("\(number % 7)", to: store) } }
                    try await group.waitForAll()
                }
                try bench.server.script(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bulkhead-test'")
            }
            #expect(try await Counters.total(store) == 250)
        }
    }

    @Test("a connection that ends amid a transaction is replaced and the body run again: its effect is there once")
    func terminatedAmid() async throws {
        try await FaultBench.run(try PostgresServer()) { bench in
            let runs = Mutex(0)
            let server = bench.server
            try await bench.store.transact { transaction in
                _ = try transaction.rows(Counters.add, [.text("once"), .integer(1)])
                let isFirst = runs.withLock { runs in
                    runs += 1
                    return runs == 1
                }
                if isFirst {
                    try server.script(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bulkhead-test'")
                }
                _ = try transaction.rows(Counters.add, [.text("once"), .integer(1)])
            }
            #expect(runs.withLock { $0 } == 2)
            #expect(try await Counters.total(bench.store) == 2)
        }
    }

    @Test("of two transactions that wait for each other both succeed")
    func deadlock() async throws {
        try await FaultBench.run(try PostgresServer("deadlock_timeout=50ms")) { bench in
            let store = bench.store
            try await Counters.add("a", to: store)
            try await Counters.add("b", to: store)
            let met = Mutex(0)
            let touch: @Sendable (String, String) async throws -> Void = { first, second in
                try await store.transact { transaction in
                    _ = try transaction.rows(Counters.add, [.text(first), .integer(1)])
                    met.withLock { $0 += 1 }
                    // Both hold one row before either wants the other's; bounded, for the one that runs again.
                    for _ in 0 ..< 1000 where met.withLock({ $0 }) < 2 { usleep(1000) }
                    _ = try transaction.rows(Counters.add, [.text(second), .integer(1)])
                }
            }
            async let one: Void = touch("a", "b")
            async let two: Void = touch("b", "a")
            _ = try await (one, two)
            #expect(met.withLock { $0 } > 2, "the transactions never met")
            #expect(try await Counters.total(store) == 6)
        }
    }

    @Test("a statement ends with its caller's deadline, and its connection stays")
    func overdue() async throws {
        try await FaultBench.run(try PostgresServer(), connections: 1) { bench in
            let pid = Statement("test.pid", "SELECT pg_backend_pid()")
            let before = try await bench.store.transact { try $0.rows(pid, []) }
            let began = MonotonicTime.now()
            let error = try await refusal {
                _ = try await bench.store.transact(deadline: began + .seconds(1)) { try $0.rows(Counters.sleep, [.integer(20)]) }
            }
            #expect(error.code == .deadlineExceeded)
            #expect(MonotonicTime.now() - began < .seconds(3))
            #expect(try await bench.store.transact { try $0.rows(pid, []) } == before)
        }
    }

    @Test("a server that is not there when the store is opened is found when it comes")
    func lateServer() async throws {
        let server = try PostgresServer()
        server.kill()
        try await FaultBench.run(server, reachable: false) { bench in
            guard case .away = try await bench.store.firstContact() else {
                Issue.record("the server was reached")
                return
            }
            let error = try await refusal { try await Counters.add("early", to: bench.store) }
            #expect(error.code == .unavailable && error.notProcessed)
            try server.start()
            #expect(try await bench.recovery() < .seconds(5))
        }
    }

    @Test("a pool of two serves 200 at once")
    func smallPool() async throws {
        try await FaultBench.run(try PostgresServer.shared.get(), connections: 2) { bench in
            let store = bench.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0 ..< 200 { group.addTask { try await Counters.add("n\(number % 10)", to: store) } }
                try await group.waitForAll()
            }
            #expect(try await Counters.total(store) == 200)
        }
    }

    @Test("a commit whose answer never came is told as not known")
    func doubtful() async throws {
        // The commit waits for a standby that is not there, then the server is killed.
        try await FaultBench.run(try PostgresServer(), connections: 1) { bench in
            try await Counters.add("first", to: bench.store)
            try bench.server.script("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            try bench.server.script("SELECT pg_reload_conf()")
            let store = bench.store
            // The connection that is to wait has heard of it, or its commit would not.
            try await eventually("the setting is in force") { try await Counters.standbys(store) == "nobody" }
            async let added: Void = Counters.add("doubtful", to: store)
            try await eventually("the commit waits") {
                try bench.server.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == .integer(1)
            }
            bench.server.kill()
            do {
                try await added
                Issue.record("the commit was acknowledged")
            } catch let error as CallError {
                #expect(error.code == .unavailable && error.reason == "store_unavailable")
                #expect(error.message.contains("not known"))
            }
        }
    }
}
