import BulkheadCore
import BulkheadStore
import Logging

/// Shows and deletes kept answers, and gives keys free.
package struct IdempotencyAdministration: Sendable {
    private let desk: ClaimDesk
    /// How long answers are kept, in milliseconds.
    private let retention: Int64
    private let logger: Logger

    /// - Parameter retention: how long answers are kept, in milliseconds.
    package init(desk: ClaimDesk, retention: Int64, logger: Logger) {
        self.desk = desk
        self.retention = retention
        self.logger = logger
    }

    /// Newest first; what has expired and was not purged yet is left out.
    package func list(_ asked: IdempotencySelection) async throws -> [IdempotencyReport] {
        guard IdempotencySelection.limits.contains(asked.limit) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "--limit is \(asked.limit); expected a whole number from 1 to \(IdempotencySelection.limits.upperBound)")
        }
        let state = try asked.state.map { name in
            guard let state = ClaimState(rawValue: name) else {
                let known = ClaimState.allCases.map(\.rawValue).joined(separator: ", ")
                throw CallError(
                    .invalidArgument, reason: "invalid_request",
                    message: "--state is \"\(name.prefix(80))\"; expected one of \(known)")
            }
            return state
        }
        let retention = retention
        return try await desk.store.transact {
            try ClaimInspection.list(asked.tenant, state, limit: asked.limit, retention: retention, $0)
        }
    }

    /// - Throws: NOT_FOUND when nobody used the key, or it is free again.
    package func show(_ asked: ClaimName) async throws -> ClaimReport {
        let hash = try await hash(asked)
        let retention = retention
        let report = try await desk.store.transact {
            try ClaimInspection.find(asked.tenant, hash, retention: retention, $0)?.report
        }
        guard let report else { throw Self.absent(asked) }
        return report
    }

    /// Gives a key free: its next request runs. What the run that held it says later changes nothing.
    /// - Throws: NOT_FOUND; FAILED_PRECONDITION for a key whose request runs or was answered, without `force`.
    package func release(_ asked: ClaimRelease) async throws -> ClaimReport {
        let hash = try await hash(asked.name)
        let (tenant, force, retention) = (asked.name.tenant, asked.force, retention)
        let freed = try await desk.store.transact { transaction -> InspectedClaim in
            let found = try ClaimInspection.find(tenant, hash, retention: retention, transaction)
            guard let found else { throw Self.absent(asked.name) }
            guard force || [.reserved, .unknown].contains(found.state) else { throw Self.inUse(found, transaction.now) }
            try ClaimInspection.free(found, transaction)
            return found
        }
        if let stream = freed.streamID { desk.followers.wake(stream) }
        logger.notice(
            "idempotency key given free by the operator",
            metadata: [
                "tenant": "\(tenant)", "owner": "\(freed.report.summary.owner)", "state": "\(freed.state.rawValue)",
                "route": "\(freed.report.summary.route)", "request_id": "\(freed.report.summary.requestID)",
                "fence": "\(freed.report.summary.fence)", "forced": "\(force)",
            ])
        return freed.report
    }

    /// Deletes kept answers in small transactions, so that admissions go on between them. Running requests stay.
    package func purge(_ asked: IdempotencySelection) async throws -> Purged {
        let retention = retention
        var total = 0
        while true {
            let count = try await desk.store.transact { transaction in
                try ClaimTable.purge(all: asked.all, tenant: asked.tenant, retention: retention, transaction)
            }
            if count == 0 { break }
            total += count
        }
        while try await desk.store.transact({ try StreamTable.sweep($0) }) {}
        return Purged(purged: total)
    }

    /// A rotated key goes on with the claims of the one it replaced.
    private func hash(_ asked: ClaimName) async throws -> [UInt8] {
        var account: String?
        if let id = asked.keyID { account = try await desk.store.transact { try KeyTable.find(id: id, $0)?.account } }
        return try await desk.hash(try asked.scope(account: account))
    }

    private static func absent(_ asked: ClaimName) -> CallError {
        CallError(
            .notFound, reason: "no_claim",
            message:
                "this Idempotency-Key is free in tenant \(asked.tenant) for the owner named: check --user, --end-user and --key-id"
        )
    }

    private static func inUse(_ found: InspectedClaim, _ now: Int64) -> CallError {
        let what: String
        if found.state == .completed {
            what = "the key is completed, its answer is kept: with --force it is given free, and the same request would run again"
        } else {
            let (lease, heard) = (found.report.leaseUntil, found.report.leaseUntil - ClaimTable.lease)
            what =
                "the key is \(found.state.rawValue): its request was sent out at "
                + "\(Words.time(found.report.dispatchedAt ?? found.report.summary.startedAt)), and edge was last heard of it at "
                + "\(Words.time(heard)). If edge is gone the key is held until \(Words.time(lease)), in \(max(1, (lease - now + 999) / 1000)) s, "
                + "and can be released then; with --force it is given free now, and the same request would run again"
        }
        return CallError(.failedPrecondition, reason: "claim_in_use", message: what)
    }
}
