import BulkheadConfig
import BulkheadCore
import BulkheadStore
import Foundation
import SessionService
import Synchronization
import Testing

@Suite("The store in a file")
struct StoreTests {
    @Test("A damaged file refuses the start, says what to do, and is not touched")
    func damaged() throws {
        let folder = try TemporaryFolder()
        let path = folder.store
        let garbage = Data(repeating: 0x5a, count: 16_384)
        try garbage.write(to: URL(filePath: path))
        let error = #expect(throws: StoreOpenError.self) { _ = try SQLiteStore.open(path: path, schema: SessionSchema.all) }
        #expect(error?.description.contains("store backup") == true)
        #expect(try Data(contentsOf: URL(filePath: path)) == garbage)
    }

    @Test("A torn page is found at the start")
    func torn() async throws {
        let folder = try TemporaryFolder()
        let path = folder.store
        let store = try SQLiteStore.open(path: path, schema: SessionSchema.all)
        let keys = KeyAdministration(
            index: KeyIndex(), store: store, spend: SpendLedger(), now: { SessionBench.start })
        for _ in 0 ..< 300 { _ = try await keys.create(KeyCreation(tenant: "acme")) }
        try store.close()
        var bytes = try Data(contentsOf: URL(filePath: path))
        for page in 2 ..< 12 { bytes.replaceSubrange(page * 4096 ..< page * 4096 + 512, with: Data(repeating: 0xff, count: 512)) }
        try bytes.write(to: URL(filePath: path))
        #expect(throws: StoreOpenError.self) { _ = try SQLiteStore.open(path: path, schema: SessionSchema.all) }
    }

    @Test("A mistake of a statement is not told as a failure of the store")
    func failure() async throws {
        let folder = try TemporaryFolder()
        let outcomes = Outcomes()
        let store = try SQLiteStore.open(
            path: folder.store, schema: SessionSchema.all, observer: StoreObserver(commit: { outcomes.append($0) }))
        try await store.transact { _ in }
        let error = await #expect(throws: CallError.self) {
            try await store.transact { try $0.run(Statement("test.absent", "INSERT INTO absent VALUES (1)"), []) }
        }
        #expect(error?.code == .internal && error?.reason == "store_statement")
        #expect(outcomes.all.map { $0.failure == nil } == [true, true])
    }

    @Test("A backup opens as a store with the same keys, and never overwrites")
    func backup() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        let folder = try TemporaryFolder()
        try await bench.store.inspection.backUp(to: folder.store)
        let restored = try await SessionBench(folder: folder)
        #expect(try await restored.admit(made.key).verdict == .admitted)
        await #expect(throws: StoreOpenError.self) { try await bench.store.inspection.backUp(to: folder.store) }
    }

    @Test("Spend adds up once per admission and survives a restart")
    func spend() async throws {
        let bench = try await SessionBench()
        let made = try await bench.makeKey()
        for _ in 0 ..< 3 {
            let admitted = try await bench.admit(made.key)
            try await bench.settle(admitted, answer: nil, cost: 1_000)
            try await bench.settle(admitted, answer: nil, cost: 1_000)
        }
        let shown = try await bench.administration.show(KeyName(id: made.id))
        #expect(shown.spend == Spend(requests: 3, inputTokens: 30, outputTokens: 60, costNanousd: 3_000))
        let reopened = try await SessionBench(folder: bench.folder)
        let tenants = try await reopened.tenants.list()
        #expect(tenants.map(\.spend.costNanousd) == [3_000] && tenants.map(\.keys) == [1])
    }
}

/// Commits as they were observed, on SQLite's thread.
final class Outcomes: Sendable {
    private let state = Mutex<[CommitOutcome]>([])

    var all: [CommitOutcome] { state.withLock { $0 } }

    func append(_ outcome: CommitOutcome) { state.withLock { $0.append(outcome) } }
}
