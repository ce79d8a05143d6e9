import BulkheadCore
import BulkheadStore
import Foundation
import SessionService
import Testing

@Suite("Durable stores")
struct TransactionTests {
    @Test("what a body did is undone when it throws, and the others of its batch stay")
    func rollsBack() async throws {
        let path = NSTemporaryDirectory() + "bh-store-\(UInt64.random(in: .min ... .max)).sqlite"
        defer { for end in ["", "-wal", "-shm"] { unlink(path + end) } }
        let store = try SQLiteStore.open(path: path, schema: SessionSchema.all)
        let insert = Statement("test.insert", "INSERT INTO setting (name, value) VALUES ($1, $2)")
        let count = Statement("test.count", "SELECT count(*) FROM setting")
        try await store.transact { try $0.run(insert, [.text("kept"), .bytes([1])]) }
        await #expect(throws: CallError.self) {
            try await store.transact { transaction in
                try transaction.run(insert, [.text("undone"), .bytes([2])])
                throw CallError(.failedPrecondition, message: "the body gives up")
            }
        }
        #expect(try await store.transact { try $0.rows(count, []) } == [SQLRow([.integer(1)])])
    }
}
