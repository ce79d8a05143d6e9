import BulkheadCore
import BulkheadServiceKit
import BulkheadStore

/// Where `store backup` writes.
package struct BackupTarget: Codable, Sendable {
    /// An absolute path; the file must not exist.
    package var file: String

    /// A target of its path.
    package init(file: String) { self.file = file }
}

/// How `store migrate` is meant.
package struct MigrationRequest: Codable, Sendable {
    /// Only say what is missing.
    package var dryRun: Bool

    /// A request.
    package init(dryRun: Bool) { self.dryRun = dryRun }
}

/// The verbs `store …`.
struct StoreAdministration: Sendable {
    let store: any DurableStore
    let log: StatementLog

    var verbs: [AdminVerb] {
        [
            AdminVerb("store.check") { (_: NoValue) in try await check() },
            AdminVerb("store.migrate") { (asked: MigrationRequest) in try await migrate(asked) },
            AdminVerb("store.backup") { (asked: BackupTarget) in try await backUp(asked) },
            AdminVerb("store.slow") { (_: NoValue) in log.report },
        ]
    }

    private func check() async throws -> StoreCondition { try await explained { try await store.inspection.check() } }

    private func migrate(_ asked: MigrationRequest) async throws -> MigrationReport {
        try await explained { try await store.inspection.migrate(dryRun: asked.dryRun) }
    }

    private func backUp(_ target: BackupTarget) async throws -> StoreCondition {
        guard target.file.hasPrefix("/") else {
            throw CallError(
                .invalidArgument, message: "the backup's path must be absolute: the service writes it, not this program")
        }
        return try await explained {
            try await store.inspection.backUp(to: target.file)
            return try await store.inspection.check()
        }
    }

    private func explained<Value>(_ work: () async throws -> Value) async throws -> Value {
        do {
            return try await work()
        } catch let error as StoreOpenError {
            throw CallError(.failedPrecondition, reason: "store", message: error.description)
        }
    }
}
