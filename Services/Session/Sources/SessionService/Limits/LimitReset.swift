import BulkheadCore
import BulkheadStore
import Logging

/// What `limits reset` did.
package struct LimitsReset: Codable, Sendable {
    package var tenant: String
    /// Whose requests and tokens count from zero: `user:NAME`, `key:ID` or `tenant`.
    package var subjects: [String]
    /// The shared store is away: only what this suite counts by itself was reset.
    package var isLocal: Bool
    /// Nobody knows the tenant; nil: somebody does.
    package var isUnknown: Bool?
}

/// Lets requests and tokens of a tenant, a user or a key count from zero. Places are held by requests that run, and money was
/// spent: neither is touched.
package struct LimitReset: Sendable {
    let store: any DurableStore
    let desk: LimitDesk
    let logger: Logger
    let knows: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - logger: told of each reset.
    ///   - knows: whether a tenant has or had a key.
    package init(
        store: any DurableStore, desk: LimitDesk, logger: Logger, knows: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.knows = knows
        self.store = store
        self.desk = desk
        self.logger = logger
    }

    /// - Throws: INVALID_ARGUMENT, NOT_FOUND; what a store throws.
    package func reset(_ asked: LimitSelection) async throws -> LimitsReset {
        let subjects = try await subjects(asked)
        let isWhole = await desk.reset(subjects)
        let done = LimitsReset(
            tenant: subjects[0].tenant, subjects: subjects.map(\.text), isLocal: !isWhole,
            isUnknown: knows(subjects[0].tenant) ? nil : true)
        logger.notice(
            "limits reset by the operator: requests and tokens count from zero",
            metadata: [
                "tenant": "\(done.tenant)", "subjects": "\(done.subjects.joined(separator: ","))",
                "local_only": "\(done.isLocal)",
            ])
        return done
    }

    /// At least one, all of one tenant.
    private func subjects(_ asked: LimitSelection) async throws -> [LimitSubject] {
        if let id = asked.keyID {
            guard asked.user == nil else { throw Self.unclear }
            let key = try await store.transact { try KeyTable.find(id: id, $0) }
            guard let key, asked.tenant.map({ $0 == key.tenant }) ?? true else { throw KeyAdministration.unknown(id) }
            // What the key itself does not limit is its user's.
            let user = key.user.map { LimitSubject.identity(tenant: key.tenant, .user($0)) }
            return [.identity(tenant: key.tenant, .key(key.account))] + (user.map { [$0] } ?? [])
        }
        guard let tenant = asked.tenant else { throw Self.unclear }
        try KeyRules.check(name: tenant, option: "--tenant", limit: 128)
        guard let user = asked.user else { return [.tenant(tenant)] }
        try KeyRules.check(name: user, option: "--user", limit: 256)
        return [.identity(tenant: tenant, .user(user)), .identity(tenant: tenant, .end(user))]
    }

    private static let unclear = CallError(
        .invalidArgument, reason: "invalid_request",
        message: "name a tenant with --tenant, and a user of it with --user or a key with --key, not both")
}
