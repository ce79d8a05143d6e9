import BulkheadCore
import BulkheadServiceKit

// Verbs that change secrets. Each is on record before anything changes (`allow`), and again with what became of it (`done`,
// `failed`); it takes effect for calls that begin afterwards. While the trail cannot be written nothing is changed.
extension CredentialsDaemon {
    var secretVerbs: [AdminVerb] {
        [
            AdminVerb("secrets.set") { [self] (command: SecretCommand) in try await store(command, event: "set") },
            AdminVerb("secrets.rotate") { [self] (command: SecretCommand) in try await rotate(command) },
            AdminVerb("secrets.undo") { [self] (command: NamedCommand) in try await undoRotation(command.name) },
            AdminVerb("secrets.reseal") { [self] (command: SecretCommand) in try await reseal(command) },
            AdminVerb("secrets.revoke") { [self] (command: NamedCommand) in try await revoke(command) },
            AdminVerb("secrets.delete") { [self] (command: NamedCommand) in try await delete(command.name) },
            AdminVerb("secrets.list") { [self] (_: NoValue) in try list() },
        ]
    }

    /// Stores a value: `set`, and what `import_dir` holds.
    func store(_ command: SecretCommand, event: String, mark: ImportMark? = nil) async throws -> SecretChange {
        try Self.checkName(command.name)
        let value = SecretInput.trimmed(Array((command.value ?? "").utf8))
        let known = try secrets()[command.name]
        let seal = try sealing(event == "import" ? .importing : .set, command, known: known?.policy)
        if let problem = StoredSecret.valueProblem(value, preset: seal.preset) ?? seal.problem(with: value) {
            throw CallError(.invalidArgument, message: problem)
        }
        let widens = known.map { seal.widenings(beyond: $0.policy) } ?? []
        let now = AuditTrail.wallMilliseconds()
        let bytes = SecretBytes(value)
        try await change(event, command.name, reason: reason(widens)) { secrets in
            let created = secrets[command.name]?.policy.created
            let policy = SecretPolicy(
                host: seal.host, preset: seal.preset, grants: seal.grants, created: created ?? now,
                rotated: created == nil ? 0 : now)
            var secret = StoredSecret(policy: policy, value: bytes)
            if var known = secrets[command.name] {
                known.promote(bytes, now: now, overlap: event == "set" ? 0 : SecretCommand.defaultOverlap)
                known.policy = policy
                secret = known
            }
            secret.life.isHoneytoken = command.isHoneytoken ?? false
            secret.life.imported = mark ?? secret.life.imported
            secrets[command.name] = secret
        }
        var made = changed(command.name, known == nil ? "stored" : "replaced", seal)
        if let warning = seal.preset.doubt(about: value) { made.warnings.insert(warning, at: 0) }
        made.widens = widens
        return made
    }

    private func reseal(_ command: SecretCommand) async throws -> SecretChange {
        guard let known = try secrets()[command.name], known.policy.revoked == 0 else { throw Self.unknown(command.name) }
        let seal = try sealing(.reseal, command, known: known.policy)
        let widens = seal.widenings(beyond: known.policy)
        if let problem = known.value.withBytes({ StoredSecret.valueProblem(Array($0), preset: seal.preset) }) {
            throw CallError(.invalidArgument, message: problem)
        }
        try await change("reseal", command.name, reason: reason(widens)) { secrets in
            secrets[command.name]?.policy.grants = seal.grants
            secrets[command.name]?.policy.host = seal.host
            secrets[command.name]?.policy.preset = seal.preset
        }
        var made = changed(command.name, "resealed", seal)
        made.widens = widens
        return made
    }

    private func revoke(_ command: NamedCommand) async throws -> SecretChange {
        let name = command.name
        guard try secrets()[name] != nil else { throw Self.unknown(name) }
        let now = AuditTrail.wallMilliseconds()
        try await change("revoke", name) { secrets in
            secrets[name]?.policy.revoked = now
            secrets[name]?.value = SecretBytes([])
            secrets[name]?.former = []
        }
        var made = changed(name, "revoked", nil)
        if command.now == true { made.cut = service.live.cut(name) }
        return made
    }

    private func delete(_ name: String) async throws -> SecretChange {
        guard try secrets()[name] != nil else { throw Self.unknown(name) }
        try await change("delete", name) { $0[name] = nil }
        return changed(name, "deleted", nil)
    }

    private func list() throws -> [SecretRow] {
        let table = service.current.table
        return try secrets().sorted { $0.key < $1.key }.map { name, secret in
            let policy = secret.policy
            return SecretRow(
                name: name, state: policy.revoked > 0 ? "revoked" : secret.life.isHoneytoken ? "honeytoken" : "active",
                version: secret.life.version, overlapEnds: secret.former.last?.until, store: store.kind.rawValue,
                isStale: store.stale != nil, host: Sealing(grants: policy.ceiling, isInferred: false).places,
                preset: policy.preset.rawValue,
                created: policy.created, rotated: policy.rotated > 0 ? policy.rotated : nil,
                revoked: policy.revoked > 0 ? policy.revoked : nil,
                destinations: table.using(secret: name).map(\.configuration.name))
        }
    }

    // MARK: steps

    /// Puts a change on record, makes it, and lets it take effect.
    /// - Parameter reason: a stable word for the trail.
    /// - Throws: UNAVAILABLE `credentials_unavailable` while the trail cannot be written: nothing was changed.
    func change(
        _ event: String, _ name: String, reason: String = "",
        _ body: @escaping @Sendable (inout [String: StoredSecret]) throws -> Void
    ) async throws {
        try permit(event, name, reason: reason)
        try await make(event, name, body)
    }

    /// Puts a change on record that is about to be made.
    /// - Throws: UNAVAILABLE `credentials_unavailable` while the trail cannot be written.
    func permit(_ event: String, _ name: String, reason: String = "") throws(CallError) {
        try audit.record(AuditEvent(event, "allow", secret: name, reason: reason))
    }

    /// Makes a change that is on record, and lets it take effect.
    func make(
        _ event: String, _ name: String, _ body: @escaping @Sendable (inout [String: StoredSecret]) throws -> Void
    ) async throws {
        do {
            try await context.blocking { [store] in try store.change(body) }
        } catch {
            recordOutcome(AuditEvent(event, "failed", secret: name))
            throw error
        }
        refresh()
        recordOutcome(AuditEvent(event, "done", secret: name, reason: store.mark))
        context.logger.notice("a secret was changed", metadata: ["secret": "\(name)", "event": "\(event)"])
    }

    /// Puts on record what became of a change. It waits in memory while the file cannot be written, and is lost only when too
    /// much waits there: the change stands either way, and that it was to be made is on record.
    func recordOutcome(_ event: AuditEvent) {
        do {
            try audit.record(event)
        } catch {
            context.logger.error(
                "what became of a change is not on record",
                metadata: ["event": "\(event.event)", "secret": "\(event.secret)", "decision": "\(event.decision)"])
        }
    }

    func secrets() throws(CallError) -> [String: StoredSecret] {
        switch store.state {
        case .open(let secrets): return secrets
        case .failed(let failure): throw failure.callError
        }
    }

    func changed(_ name: String, _ outcome: String, _ seal: Sealing?) -> SecretChange {
        let warnings = service.current.table.using(secret: name).compactMap { destination -> String? in
            if case .unusable(let error) = destination.secret { return "\(destination.configuration.name): \(error.message)" }
            return nil
        }
        var version: Int?
        if case .open(let secrets) = store.state { version = secrets[name]?.life.version }
        return SecretChange(
            name: name, outcome: outcome, version: version, host: seal?.places, preset: seal?.preset.rawValue,
            isInferred: seal?.isInferred ?? false,
            warnings: warnings)
    }

    private static func checkName(_ name: String) throws(CallError) {
        guard StoredSecret.isName(name) else {
            throw CallError(
                .invalidArgument,
                message: "that is no name of a secret: capital letters, digits and '_' such as OPENAI_API_KEY, at most 64")
        }
    }

    static func unknown(_ name: String) -> CallError {
        let shown = StoredSecret.isName(name) ? name : "of that name"
        return CallError(
            .notFound, message: "there is no secret \(shown) in force; bulkhead-credentials list shows what is stored")
    }
}
