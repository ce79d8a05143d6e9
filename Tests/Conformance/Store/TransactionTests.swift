import BulkheadCore
import BulkheadStore
import Foundation
import Testing

@Suite("Transactions of a durable store")
struct TransactionTests {
    @Test("What was acknowledged is seen by the next transaction, and by a store opened anew", arguments: StoreUnderTest.all)
    func durable(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        let store = try await place.open(schema: Scratch.schema)
        try await store.transact { try Scratch.put("kept", $0) }
        #expect(try await Scratch.names(store) == ["kept"])
        #expect(try await Scratch.names(try await place.open(schema: Scratch.schema)) == ["kept"])
    }

    @Test("What a body did is undone when it throws, and its error is the caller's", arguments: StoreUnderTest.all)
    func rollsBack(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        try await store.transact { try Scratch.put("kept", $0) }
        let error = await #expect(throws: CallError.self) {
            try await store.transact { transaction in
                try Scratch.put("undone", transaction)
                throw CallError(.failedPrecondition, reason: "tired", message: "the body gives up")
            }
        }
        #expect(error?.code == .failedPrecondition && error?.reason == "tired")
        #expect(try await Scratch.names(store) == ["kept"])
    }

    @Test("Of operations at once those that fail are undone, and no other", arguments: StoreUnderTest.all)
    func neighbours(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let outcomes = await withTaskGroup(of: (Int, Bool).self) { group in
            for index in 0 ..< 60 {
                group.addTask {
                    do {
                        try await store.transact { transaction in
                            try Scratch.put("row \(index)", transaction)
                            if index % 3 == 1 { throw CallError(.failedPrecondition, message: "the body gives up") }
                            if index % 3 == 2 { try transaction.run(Scratch.broken, [.text("x")]) }
                        }
                        return (index, true)
                    } catch {
                        return (index, false)
                    }
                }
            }
            return await group.reduce(into: [Int: Bool]()) { $0[$1.0] = $1.1 }
        }
        #expect(outcomes.allSatisfy { $0.value == ($0.key % 3 == 0) })
        let kept = (0 ..< 60).filter { $0 % 3 == 0 }.map { "row \($0)" }
        #expect(try await Set(Scratch.names(store)) == Set(kept))
    }

    @Test("100 tasks that add to one row add up", arguments: StoreUnderTest.all)
    func addsUp(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0 ..< 100 {
                group.addTask { _ = try await store.transact { try $0.run(Scratch.add, [.text("sum"), .integer(7)]) } }
            }
            try await group.waitForAll()
        }
        #expect(try await store.transact { try $0.rows(Scratch.find, [.text("sum")]).first?.integer(0) } == 700)
    }

    @Test("Reading and then writing is one step: 100 tasks that count up lose nothing", arguments: StoreUnderTest.all)
    func readThenWrite(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        try await store.transact { try $0.run(Scratch.insert, [.text("count"), .integer(0), .null, .null]) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0 ..< 100 {
                group.addTask {
                    try await store.transact { transaction in
                        // Takes the row; without it two may read the same number on a store with several connections.
                        try transaction.run(Scratch.add, [.text("count"), .integer(0)])
                        let seen = try transaction.rows(Scratch.find, [.text("count")]).first?.integer(0) ?? 0
                        try transaction.run(Scratch.update, [.text("count"), .integer(seen + 1)])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.transact { try $0.rows(Scratch.find, [.text("count")]).first?.integer(0) } == 100)
    }

    @Test("How many rows a statement changed is told", arguments: StoreUnderTest.all)
    func changes(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let changed = try await store.transact { transaction in
            try Scratch.put("one", transaction)
            return [
                try transaction.run(Scratch.update, [.text("one"), .integer(2)]),
                try transaction.run(Scratch.update, [.text("absent"), .integer(2)]),
            ]
        }
        #expect(changed == [1, 0])
    }

    @Test("A statement that does not fit the tables is INTERNAL, and the store goes on", arguments: StoreUnderTest.all)
    func failure(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let error = await #expect(throws: CallError.self) {
            try await store.transact { try $0.run(Scratch.broken, [.text("secret value")]) }
        }
        #expect(error?.code == .internal && error?.reason == "store_statement")
        #expect(error?.message.contains("secret value") == false)
        try await store.transact { try Scratch.put("after", $0) }
        #expect(try await Scratch.names(store) == ["after"])
    }

    @Test("Work whose deadline has passed is not begun", arguments: StoreUnderTest.all)
    func late(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let error = await #expect(throws: CallError.self) {
            try await store.transact(deadline: MonotonicTime(nanoseconds: 1)) { try Scratch.put("late", $0) }
        }
        #expect(error?.code == .deadlineExceeded)
        #expect(try await Scratch.names(store).isEmpty)
    }

    @Test("Too much that waits is refused as store_busy, and what was taken in is done", arguments: StoreUnderTest.all)
    func busy(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let gate = Gate()
        let (done, refused) = try await withThrowingTaskGroup(of: CallError?.self) { group in
            for _ in 0 ..< 12_000 {
                group.addTask {
                    do {
                        try await store.transact { _ in gate.wait() }
                        return nil
                    } catch let error as CallError {
                        return error
                    }
                }
            }
            // Nothing ends before the gate opens, but what is refused.
            let first = try await group.next().flatMap { $0 }
            #expect(first?.reason == "store_busy" && first?.code == .resourceExhausted && first?.notProcessed == true)
            gate.open()
            return try await group.reduce(into: (0, 1)) { counts, error in
                if error == nil { counts.0 += 1 } else { counts.1 += 1 }
            }
        }
        #expect(refused > 0 && done > 1000 && done + refused == 12_000)
        try await store.transact { try Scratch.put("after", $0) }
    }

    @Test("The clock is one within a transaction and the one that was given", arguments: StoreUnderTest.all)
    func clock(kind: StoreUnderTest) async throws {
        let clock = HandClock()
        let store = try await kind.place().open(clock: clock, schema: Scratch.schema)
        let before = clock.now
        let seen = try await store.transact { transaction in
            let first = transaction.now
            clock.advance(by: 5_000)
            return [first, transaction.now]
        }
        #expect(seen == [before, before])
        #expect(try await store.transact { $0.now } == before + 5_000)
        #expect(store.now == before + 5_000)
    }

    @Test("Without a clock of ours the store's runs with the host's, within a minute", arguments: StoreUnderTest.all)
    func ownClock(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let seen = try await store.transact { $0.now }
        #expect(abs(seen - Int64(Date().timeIntervalSince1970 * 1000)) < 60_000)
    }
}

/// Keeps threads waiting until it is opened.
final class Gate: Sendable {
    private let condition = NSCondition()
    nonisolated(unsafe) private var isOpen = false

    func wait() {
        condition.lock()
        while !isOpen { condition.wait() }
        condition.unlock()
    }

    func opened() async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { [self] in
                wait()
                continuation.resume()
            }
        }
    }

    func open() {
        condition.lock()
        isOpen = true
        condition.broadcast()
        condition.unlock()
    }
}
