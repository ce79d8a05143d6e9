import BulkheadCore
import BulkheadPostgres
import BulkheadStore
import Foundation
import Synchronization
import Testing

@Suite("Operations that share a transaction")
struct OperationTests {
    /// Adds a row, and tells the sum of its numbers.
    private func add(_ name: String, _ number: Int = 1, fails: Bool = false) -> StoreOperation<Int64> {
        let first = FirstStatement(Self.added, row: name.utf8) { _ in [.text(name), .integer(number)] }
        return StoreOperation(first) { rows, _ in
            if fails { throw CallError(.failedPrecondition, reason: "tired", message: "the body gives up") }
            return rows.first?.integer(0) ?? 0
        }
    }

    private static let added = Statement(
        "scratch.added",
        """
        INSERT INTO scratch (name, number) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET number = scratch.number + excluded.number
        RETURNING number
        """)

    @Test("Of operations at once each has its own answer, and each is there once", arguments: StoreUnderTest.all)
    func together(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let sums = try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 0 ..< 300 {
                group.addTask { try await store.transact(deadline: .never, add("row \(number % 3)")) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        let expected = (0 ..< 300).map { Int64($0 / 3 + 1) }
        #expect(sums.sorted() == expected)
    }

    @Test("Of operations at once those that fail are undone, and no other", arguments: StoreUnderTest.all)
    func neighbours(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let absent = Statement("scratch.absent", "INSERT INTO scratch_absent (name) VALUES ($1) RETURNING name")
        let outcomes = await withTaskGroup(of: (Int, StatusCode?).self) { group in
            for number in 0 ..< 90 {
                group.addTask {
                    let name = "row \(number)"
                    let broken = StoreOperation(FirstStatement(absent, row: name.utf8) { _ in [.text(name)] }) { _, _ in Int64(0)
                    }
                    do {
                        _ = try await store.transact(
                            deadline: .never, number % 3 == 2 ? broken : add(name, fails: number % 3 == 1))
                        return (number, nil)
                    } catch {
                        return (number, (error as? CallError)?.code)
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = .some($1.1) }
        }
        for number in 0 ..< 90 {
            let expected: [StatusCode?] = [nil, .failedPrecondition, .internal]
            #expect(outcomes[number] == .some(expected[number % 3]))
        }
        let kept = Set((0 ..< 30).map { "row \($0 * 3)" })
        #expect(try await Set(Scratch.names(store)) == kept)
    }

    @Test("An operation whose deadline has passed is not begun, and its neighbours are", arguments: StoreUnderTest.all)
    func late(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let codes = await withTaskGroup(of: StatusCode?.self) { group in
            for number in 0 ..< 40 {
                let deadline = number % 2 == 0 ? MonotonicTime.never : MonotonicTime(nanoseconds: 1)
                group.addTask {
                    do {
                        _ = try await store.transact(deadline: deadline, add("row \(number)"))
                        return nil
                    } catch {
                        return (error as? CallError)?.code
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let done = codes.count { $0 == nil }
        let late = codes.count { $0 == .deadlineExceeded }
        #expect(done == 20 && late == 20)
        #expect(try await Scratch.names(store).count == 20)
    }

    @Test("Rows that are given or changed are told to the log of statements", arguments: StoreUnderTest.all)
    func counted(kind: StoreUnderTest) async throws {
        let log = StatementLog()
        let observer = StoreObserver(ran: { log.record($0) })
        try await kind.withStore(schema: Scratch.schema, observer: observer) { store in
            _ = try await store.transact(deadline: .never, add("a"))
            try await store.transact { transaction in
                try transaction.runEach(Scratch.insert, (0 ..< 5).map { [.text("r\($0)"), .integer(1), .null, .null] })
                _ = try transaction.rows(Scratch.names, [])
                try transaction.run(Scratch.update, [.text("r1"), .integer(2)])
                try transaction.run(Scratch.update, [.text("absent"), .integer(2)])
            }
        }
        let times = log.times
        #expect(times["scratch.added"]?.rows == 1 && times["scratch.insert"]?.rows == 5 && times["scratch.insert"]?.count == 5)
        #expect(times["scratch.names"]?.rows == 6)
        #expect(times["scratch.update"]?.rows == 1 && times["scratch.update"]?.count == 2)
    }

    @Test("A row that somebody else holds keeps only those waiting who want it")
    func locked() async throws {
        let server = try PostgresServer.shared.get()
        let place = PostgresPlace(url: server.url(try server.makeDatabase()), connections: 2)
        try await place.withStore(schema: Scratch.schema) { store in
            _ = try await store.transact(deadline: .never, add("held"))
            let other = try await place.open(schema: Scratch.schema, clock: nil, observer: StoreObserver())
            let (gate, hasRow) = (Gate(), Gate())
            async let holder: Void = other.store.transact { transaction in
                try transaction.run(Scratch.add, [.text("held"), .integer(10)])
                hasRow.open()
                gate.wait()
            }
            await hasRow.opened()
            async let waiting = store.transact(deadline: .now() + .seconds(20), add("held"))
            // Many more than two connections: some share a transaction with the one that waits.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0 ..< 100 {
                    group.addTask { _ = try await store.transact(deadline: .now() + .seconds(15), add("free \(number)")) }
                }
                try await group.waitForAll()
            }
            gate.open()
            try await holder
            #expect(try await waiting == 12)
            try other.close()
        }
    }

    @Test("Connections that an operator ends cost no caller an error, and nothing is done twice")
    func terminated() async throws {
        try await FaultBench.run(try PostgresServer.shared.get(), connections: 1) { bench in
            let (store, server, database) = (bench.store, bench.server, bench.database)
            let ended = Count()
            let look = Statement("test.look", "SELECT count(*) FROM counter WHERE name = CAST($1 AS TEXT)")
            let operation: @Sendable (String, Int) -> StoreOperation<Void> = { name, round in
                let first = FirstStatement(Counters.add, row: name.utf8) { _ in [.text(name), .integer(1)] }
                return StoreOperation(first) { _, transaction in
                    guard ended.reach(round + 1) else { return }
                    try server.script(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE application_name = 'bulkhead-test' AND datname = '\(database)'
                        """)
                    _ = try transaction.rows(look, [.text(name)])
                }
            }
            for round in 0 ..< 5 {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0 ..< 60 {
                        group.addTask {
                            try await store.transact(deadline: .never, operation("\(round)-\(number)", round))
                        }
                    }
                    try await group.waitForAll()
                }
            }
            #expect(ended.value == 5)
            #expect(try await Counters.total(store) == 300)
        }
    }

    @Test("A commit whose answer never came is told as not known to all who shared it")
    func doubtful() async throws {
        try await FaultBench.run(try PostgresServer(), connections: 1) { bench in
            try await Counters.add("first", to: bench.store)
            try bench.server.script("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
            try bench.server.script("SELECT pg_reload_conf()")
            let (store, gate, begun) = (bench.store, Gate(), Gate())
            try await eventually("the setting is in force") { try await Counters.standbys(store) == "nobody" }
            // While the one thread is kept busy the others gather behind it.
            async let busy: Void = store.transact { _ in
                begun.open()
                gate.wait()
            }
            await begun.opened()
            let errors = try await withThrowingTaskGroup(of: CallError.self) { group in
                for number in 0 ..< 8 {
                    let name = "doubtful \(number)"
                    let first = FirstStatement(Counters.add, row: name.utf8) { _ in [.text(name), .integer(1)] }
                    group.addTask {
                        try await refusal { try await store.transact(deadline: .never, StoreOperation(first) { _, _ in }) }
                    }
                }
                try await eventually("the others wait") { store.waitingCount >= 8 }
                gate.open()
                try await eventually("the commit waits") {
                    try bench.server.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == .integer(1)
                }
                bench.server.kill()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try await busy
            #expect(errors.count == 8)
            #expect(errors.allSatisfy { $0.code == .unavailable && $0.message.contains("not known") }, "\(errors)")
        }
    }

    @Test("A caller with little time left fails alone: the connection stays, and the server is not taken to be away")
    func impatient() async throws {
        try await FaultBench.run(try PostgresServer.shared.get(), connections: 1) { bench in
            let pid = Statement("test.pid", "SELECT pg_backend_pid()")
            let before = try await bench.store.transact { try $0.rows(pid, []) }
            for _ in 0 ..< 5 {
                let error = try await refusal {
                    let deadline = MonotonicTime.now() + .milliseconds(40)
                    _ = try await bench.store.transact(deadline: deadline) { try $0.rows(Counters.sleep, [.integer(5)]) }
                }
                #expect(error.code == .deadlineExceeded)
            }
            #expect(try await bench.store.transact { try $0.rows(pid, []) } == before)
            #expect(bench.told.last == .reachable)
        }
    }

    @Test("While a store is stuck in a transaction, those behind it are told at their deadline, and not done later")
    func stuck() async throws {
        let store = try await StoreUnderTest.sqlite.place().open(schema: Scratch.schema)
        let (gate, begun) = (Gate(), Gate())
        async let busy: Void = store.transact { _ in
            begun.open()
            gate.wait()
        }
        await begun.opened()
        async let late: (any Error)? = {
            do {
                _ = try await store.transact(deadline: .now() + .milliseconds(50), add("late"))
                return nil
            } catch {
                return error
            }
        }()
        let ticks = Thread {
            while !Thread.current.isCancelled {
                store.tick(now: .now())
                usleep(5_000)
            }
        }
        ticks.start()
        #expect((await late as? CallError)?.code == .deadlineExceeded)
        ticks.cancel()
        gate.open()
        try await busy
        #expect(try await Scratch.names(store).isEmpty)
    }
}

/// A number that grows by one, up to what is asked.
private final class Count: Sendable {
    private let state = Mutex(0)
    var value: Int { state.withLock { $0 } }

    /// - Returns: whether this call brought it there.
    func reach(_ number: Int) -> Bool {
        state.withLock { state in
            guard state < number else { return false }
            state += 1
            return true
        }
    }
}
