import BulkheadCore
import BulkheadServiceKit

// Verbs that change secrets. Each is recorded before it is answered, and takes effect for calls that begin afterwards.
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
        let seal = try sealing(command, known: known?.policy)
        if let problem = StoredSecret.valueProblem(value, preset: seal.preset) {
            throw CallError(.invalidArgument, message: problem)
        }
        let now = AuditTrail.wallMilliseconds()
        let bytes = SecretBytes(value)
        try await change(event, command.name) { secrets in
            let created = secrets[command.name]?.policy.created
            let policy = SecretPolicy(
                host: seal.host, preset: seal.preset, created: created ?? now, rotated: created == nil ? 0 : now)
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
        var made = changed(
            command.name, known == nil ? "stored" : "replaced", seal.host, seal.preset, isInferred: seal.isInferred)
        if let warning = seal.preset.doubt(about: value) { made.warnings.insert(warning, at: 0) }
        return made
    }

    private func reseal(_ command: SecretCommand) async throws -> SecretChange {
        guard let known = try secrets()[command.name], known.policy.revoked == 0 else { throw Self.unknown(command.name) }
        let seal = try sealing(SecretCommand(name: command.name, host: command.host, preset: command.preset), known: nil)
        if let problem = known.value.withBytes({ StoredSecret.valueProblem(Array($0), preset: seal.preset) }) {
            throw CallError(.invalidArgument, message: problem)
        }
        try await change("reseal", command.name) { secrets in
            secrets[command.name]?.policy.host = seal.host
            secrets[command.name]?.policy.preset = seal.preset
        }
        return changed(command.name, "resealed", seal.host, seal.preset, isInferred: seal.isInferred)
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
        var made = changed(name, "revoked", nil, nil, isInferred: false)
        if command.now == true { made.cut = service.live.cut(name) }
        return made
    }

    private func delete(_ name: String) async throws -> SecretChange {
        guard try secrets()[name] != nil else { throw Self.unknown(name) }
        try await change("delete", name) { $0[name] = nil }
        return changed(name, "deleted", nil, nil, isInferred: false)
    }

    private func list() throws -> [SecretRow] {
        let table = service.current.table
        return try secrets().sorted { $0.key < $1.key }.map { name, secret in
            let policy = secret.policy
            return SecretRow(
                name: name, state: policy.revoked > 0 ? "revoked" : secret.life.isHoneytoken ? "honeytoken" : "active",
                version: secret.life.version, overlapEnds: secret.former.last?.until, store: store.kind.rawValue,
                isStale: store.stale != nil, host: policy.host.description,
                preset: policy.preset.rawValue,
                created: policy.created, rotated: policy.rotated > 0 ? policy.rotated : nil,
                revoked: policy.revoked > 0 ? policy.revoked : nil,
                destinations: table.using(secret: name).map(\.configuration.name))
        }
    }

    // MARK: steps

    /// Writes a change of the vault, puts it on record and lets it take effect.
    func change(
        _ event: String, _ name: String, _ body: @escaping @Sendable (inout [String: StoredSecret]) throws -> Void
    ) async throws {
        do {
            try await context.blocking { [store] in try store.change(body) }
        } catch {
            try audit.record(AuditEvent(event, "failed", secret: name))
            throw error
        }
        refresh()
        try audit.record(AuditEvent(event, "done", secret: name, reason: store.mark))
        context.logger.notice("a secret was changed", metadata: ["secret": "\(name)", "event": "\(event)"])
    }

    func secrets() throws(CallError) -> [String: StoredSecret] {
        switch store.state {
        case .open(let secrets): return secrets
        case .failed(let failure): throw failure.callError
        }
    }

    /// To which host and preset a secret is sealed: as asked for, else as it was, else as its destination says.
    func sealing(
        _ command: SecretCommand, known: SecretPolicy?
    ) throws(CallError) -> (host: SealedHost, preset: Preset, isInferred: Bool) {
        let destinations = inForce.withLock { $0.configuration.destinations }.filter { $0.secret == command.name }
        let preset = try Self.preset(command.preset) ?? known?.preset ?? destinations.first?.injection.preset ?? .bearer
        if let text = command.host {
            guard let host = SealedHost(text) else {
                throw CallError(
                    .invalidArgument, message: "--host takes a host or host:port such as api.openai.com; \"\(text)\" is neither")
            }
            return (host, preset, false)
        }
        let places = Set(destinations.map(\.place))
        if let host = places.first, places.count == 1 { return (host, preset, true) }
        if let known { return (known.host, preset, false) }
        let why =
            places.isEmpty
            ? "no destination refers to \(command.name)"
            : "destinations with different hosts refer to \(command.name): \(places.map(\.description).sorted().joined(separator: ", "))"
        throw CallError(.invalidArgument, message: "\(why); say where it may be sent with --host HOST")
    }

    func changed(_ name: String, _ outcome: String, _ host: SealedHost?, _ preset: Preset?, isInferred: Bool)
        -> SecretChange
    {
        let warnings = service.current.table.using(secret: name).compactMap { destination -> String? in
            if case .unusable(let error) = destination.secret { return "\(destination.configuration.name): \(error.message)" }
            return nil
        }
        var version: Int?
        if case .open(let secrets) = store.state { version = secrets[name]?.life.version }
        return SecretChange(
            name: name, outcome: outcome, version: version, host: host?.description, preset: preset?.rawValue, isInferred: isInferred,
            warnings: warnings)
    }

    private static func preset(_ text: String?) throws(CallError) -> Preset? {
        guard let text else { return nil }
        if let preset = Preset(rawValue: text) { return preset }
        let known = Preset.allCases.map(\.rawValue).joined(separator: ", ")
        throw CallError(.invalidArgument, message: "\"\(text)\" is no preset; there are: \(known)")
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
