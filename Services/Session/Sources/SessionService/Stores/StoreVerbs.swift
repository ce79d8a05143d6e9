import BulkheadCore
import BulkheadServiceKit
import BulkheadStore

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
    let store: SQLiteStore
    let blocking: @Sendable (@escaping @Sendable () throws -> StoreReport) async throws -> StoreReport

    private static let keys = Statement("store.keys", "SELECT count(*) FROM api_key")
    private static let claims = Statement("store.claims", "SELECT count(*) FROM claim")

    func check() async throws -> StoreReport {
        let counts = try await counts()
        let store = store
        return try await run { try Self.report(store, counts) }
    }

    func backUp(_ target: BackupTarget) async throws -> StoreReport {
        guard target.file.hasPrefix("/") else {
            throw CallError(
                .invalidArgument, message: "the backup's path must be absolute: the service writes it, not this program")
        }
        let counts = try await counts()
        let store = store
        return try await run {
            try store.backUp(to: target.file)
            return try Self.report(store, counts)
        }
    }

    private func counts() async throws -> (keys: Int, claims: Int) {
        try await store.transact { transaction in
            (
                Int(try transaction.rows(Self.keys, []).first?.integer(0) ?? 0),
                Int(try transaction.rows(Self.claims, []).first?.integer(0) ?? 0)
            )
        }
    }

    private func run(_ work: @escaping @Sendable () throws -> StoreReport) async throws -> StoreReport {
        do {
            return try await blocking(work)
        } catch let error as StoreOpenError {
            throw CallError(.failedPrecondition, reason: "store", message: error.description)
        }
    }

    private static func report(_ store: SQLiteStore, _ counts: (keys: Int, claims: Int)) throws -> StoreReport {
        let problem = try store.problem()
        return StoreReport(
            store: store.kind.rawValue, sound: problem == nil, problem: problem, bytes: try store.size(), keys: counts.keys,
            idempotencyRows: counts.claims)
    }
}
