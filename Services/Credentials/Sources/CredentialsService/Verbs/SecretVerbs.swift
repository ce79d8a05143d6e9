import BulkheadCore
import BulkheadServiceKit
import Foundation

// Verbs that change secrets. Each is recorded before it is answered, and takes effect for calls that begin afterwards.
extension CredentialsDaemon {
    var secretVerbs: [AdminVerb] {
        [
            AdminVerb("secrets.set") { [self] (command: SecretCommand) in try await store(command, event: "set") },
            AdminVerb("secrets.rotate") { [self] (command: SecretCommand) in try await store(command, event: "rotate") },
            AdminVerb("secrets.reseal") { [self] (command: SecretCommand) in try await reseal(command) },
            AdminVerb("secrets.revoke") { [self] (command: NamedCommand) in try await revoke(command.name) },
            AdminVerb("secrets.delete") { [self] (command: NamedCommand) in try await delete(command.name) },
            AdminVerb("secrets.list") { [self] (_: NoValue) in try list() },
            AdminVerb("vault.unlock") { [self] (command: UnlockCommand) in try await unlock(command) },
        ]
    }

    private func store(_ command: SecretCommand, event: String) async throws -> SecretChange {
        try Self.checkName(command.name)
        let value = SecretInput.trimmed(Array((command.value ?? "").utf8))
        let known = try secrets()[command.name]
        if event == "rotate", known == nil { throw Self.unknown(command.name) }
        let seal = try sealing(command, known: known?.policy)
        if let problem = StoredSecret.valueProblem(value, preset: seal.preset) {
            throw CallError(.invalidArgument, message: problem)
        }
        let now = AuditTrail.wallMilliseconds()
        let bytes = SecretBytes(value)
        try await change(event, command.name) { secrets in
            let created = secrets[command.name]?.policy.created
            secrets[command.name] = StoredSecret(
                policy: SecretPolicy(
                    host: seal.host, preset: seal.preset, created: created ?? now, rotated: created == nil ? 0 : now),
                value: bytes)
        }
        let outcome = event == "rotate" ? "rotated" : known == nil ? "stored" : "replaced"
        return changed(command.name, outcome, seal.host, seal.preset, isInferred: seal.isInferred)
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

    private func revoke(_ name: String) async throws -> SecretChange {
        guard try secrets()[name] != nil else { throw Self.unknown(name) }
        let now = AuditTrail.wallMilliseconds()
        try await change("revoke", name) { secrets in
            secrets[name]?.policy.revoked = now
            secrets[name]?.value = SecretBytes([])
        }
        return changed(name, "revoked", nil, nil, isInferred: false)
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
                name: name, state: policy.revoked > 0 ? "revoked" : "active", host: policy.host.description,
                preset: policy.preset.rawValue,
                created: policy.created, rotated: policy.rotated > 0 ? policy.rotated : nil,
                revoked: policy.revoked > 0 ? policy.revoked : nil,
                destinations: table.using(secret: name).map(\.configuration.name))
        }
    }

    private func unlock(_ command: UnlockCommand) async throws -> NoValue {
        guard let key = Data(base64Encoded: command.key) else {
            throw CallError(.invalidArgument, message: "the key is not base64")
        }
        let problem = try await context.blocking { [vault] in vault.open(with: VaultKeys.material(Array(key))) }
        try audit.record(AuditEvent("unlock", problem == nil ? "done" : "failed"))
        if problem == nil { try await importSecrets() }
        refresh()
        if case .failed(let failure) = vault.state { throw failure.callError }
        return NoValue()
    }

    // MARK: steps

    /// Writes a change of the vault, puts it on record and lets it take effect.
    func change(_ event: String, _ name: String, _ body: @escaping @Sendable (inout [String: StoredSecret]) -> Void) async throws
    {
        do {
            try await context.blocking { [vault] in try vault.change(body) }
        } catch {
            try audit.record(AuditEvent(event, "failed", secret: name))
            throw error
        }
        refresh()
        try audit.record(AuditEvent(event, "done", secret: name))
        context.logger.notice("a secret was changed", metadata: ["secret": "\(name)", "event": "\(event)"])
    }

    /// Brings in what `import_dir` holds and the vault does not.
    func importSecrets() async throws {
        guard let folder = inForce.withLock({ $0.configuration.importFolder }), case .open(let known) = vault.state else {
            return
        }
        let read: (found: [(name: String, value: [UInt8])], problems: [String])
        do {
            read = try await context.blocking { try SecretImport.read(folder) }
        } catch let error as CallError {
            return context.logger.error("secrets were not imported", metadata: ["reason": "\(error.message)"])
        }
        for problem in read.problems { context.logger.warning("a secret was not imported", metadata: ["reason": "\(problem)"]) }
        for (name, value) in read.found {
            let isSame = known[name].map { $0.policy.revoked == 0 && $0.value.withBytes { $0.elementsEqual(value) } } ?? false
            // What an operator revoked stays revoked while the file is there.
            if isSame || (known[name]?.policy.revoked ?? 0) > 0 { continue }
            do {
                let command = SecretCommand(name: name, value: String(decoding: value, as: UTF8.self))
                _ = try await store(command, event: "import")
            } catch let error as CallError {
                context.logger.warning(
                    "a secret was not imported", metadata: ["secret": "\(name)", "reason": "\(error.message)"])
            }
        }
    }

    func secrets() throws(CallError) -> [String: StoredSecret] {
        switch vault.state {
        case .open(let secrets): return secrets
        case .failed(let failure): throw failure.callError
        }
    }

    /// To which host and preset a secret is sealed: as asked for, else as it was, else as its destination says.
    private func sealing(
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

    private func changed(_ name: String, _ outcome: String, _ host: SealedHost?, _ preset: Preset?, isInferred: Bool)
        -> SecretChange
    {
        let warnings = service.current.table.using(secret: name).compactMap { destination -> String? in
            if case .unusable(let error) = destination.secret { return "\(destination.configuration.name): \(error.message)" }
            return nil
        }
        return SecretChange(
            name: name, outcome: outcome, host: host?.description, preset: preset?.rawValue, isInferred: isInferred,
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

    private static func unknown(_ name: String) -> CallError {
        let shown = StoredSecret.isName(name) ? name : "of that name"
        return CallError(
            .notFound, message: "there is no secret \(shown) in force; bulkhead-credentials list shows what is stored")
    }
}
