import BulkheadCore
import BulkheadServiceKit
import GRDB

/// What `store check` found.
package struct StoreReport: Codable, Sendable {
    package var store: String
    package var sound: Bool
    /// The first thing wrong; nil when it is sound.
    package var problem: String?
    /// Bytes of its pages, those still in the log included.
    package var bytes: Int
    package var keys: Int
    package var idempotencyRows: Int
}

/// Where `store backup` writes.
package struct BackupTarget: Codable, Sendable {
    /// An absolute path; the file must not exist.
    package var file: String

    /// A target of its path.
    package init(file: String) { self.file = file }
}

/// Checks and copies the store. Runs on SQLite's thread: admissions with an Idempotency-Key wait meanwhile.
struct StoreAdministration: Sendable {
    let store: SessionStore
    let blocking: @Sendable (@escaping @Sendable () throws -> StoreReport) async throws -> StoreReport

    func check() async throws -> StoreReport {
        let store = store
        return try await run { try Self.report(store) }
    }

    func backUp(_ target: BackupTarget) async throws -> StoreReport {
        guard target.file.hasPrefix("/") else {
            throw CallError(
                .invalidArgument, message: "the backup's path must be absolute: the service writes it, not this program")
        }
        let store = store
        return try await run {
            try store.backUp(to: target.file)
            return try Self.report(store)
        }
    }

    private func run(_ work: @escaping @Sendable () throws -> StoreReport) async throws -> StoreReport {
        do {
            return try await blocking(work)
        } catch let error as SessionStoreError {
            throw CallError(.failedPrecondition, reason: "store", message: error.description)
        } catch let error as DatabaseError {
            throw CallError(.unavailable, reason: "store_unavailable", message: error.message ?? "\(error.resultCode)")
        }
    }

    private static func report(_ store: SessionStore) throws -> StoreReport {
        let problem = try SessionStore.quickCheck(store.queue)
        return try store.queue.read { db in
            let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            let pageSize = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0
            return StoreReport(
                store: "sqlite", sound: problem == nil, problem: problem, bytes: pages * pageSize,
                keys: try Int.fetchOne(db, sql: "SELECT count(*) FROM api_key") ?? 0,
                idempotencyRows: try Int.fetchOne(db, sql: "SELECT count(*) FROM idempotency") ?? 0)
        }
    }
}
