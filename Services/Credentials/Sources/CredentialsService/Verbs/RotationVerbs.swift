import BulkheadCore
import BulkheadServiceKit
import Synchronization

// A new value: asked about at its destinations, put in force, the one before kept for an overlap.
extension CredentialsDaemon {
    /// What asking the destinations about a value came to.
    private enum Verdict {
        case good
        /// There is nobody to ask.
        case nobody
        case refused(String)
        case silent(String)
        /// An answer that says nothing of the value.
        case unclear(String)
    }

    func rotate(_ command: SecretCommand) async throws -> SecretChange {
        let name = command.name
        guard let known = try secrets()[name] else { throw Self.unknown(name) }
        let value = SecretInput.trimmed(Array((command.value ?? "").utf8))
        let seal = try sealing(.rotate, command, known: known.policy)
        if let problem = StoredSecret.valueProblem(value, preset: seal.preset) ?? seal.problem(with: value) {
            throw CallError(.invalidArgument, message: problem)
        }
        let now = AuditTrail.wallMilliseconds()
        var candidate = known
        candidate.promote(SecretBytes(value), now: now, overlap: command.overlap ?? SecretCommand.defaultOverlap)
        candidate.policy.host = seal.host
        candidate.policy.preset = seal.preset
        candidate.policy.grants = seal.grants
        candidate.policy.rotated = now
        candidate.policy.revoked = 0
        let widens = seal.widenings(beyond: known.policy)
        try permit("rotate", name, reason: reason(widens))
        let warning = try await verify(&candidate, named: name, isUnverified: command.isUnverified == true)
        try await make("rotate", name) { [candidate] secrets in
            // Asking takes seconds: what was changed meanwhile was not asked about.
            guard let present = secrets[name], present.isSame(as: known) else { throw Self.overtaken(name) }
            secrets[name] = candidate
        }
        var made = changed(name, "rotated", seal)
        made.widens = widens
        made.warnings.insert(contentsOf: [warning, seal.preset.doubt(about: value)].compactMap { $0 }, at: 0)
        return made
    }

    func undoRotation(_ name: String) async throws -> SecretChange {
        guard try secrets()[name] != nil else { throw Self.unknown(name) }
        let now = AuditTrail.wallMilliseconds()
        try await change("rotate_undo", name) { secrets in
            guard secrets[name]?.undo(now: now) == true else {
                throw CallError(
                    .failedPrecondition,
                    message: "\(name) has no earlier value any more: its overlap is over, or it was never rotated")
            }
        }
        return changed(name, "undone", nil)
    }

    /// - Parameter candidate: has another value afterwards when asking for an access token used up its refresh token.
    /// - Returns: what the operator should know; nil when all is well.
    /// - Throws: why the value is not put in force.
    private func verify(_ candidate: inout StoredSecret, named name: String, isUnverified: Bool) async throws -> String? {
        let rotated = Mutex<SecretBytes?>(nil)
        // Apart from the tokens in use: they are of the value in force.
        let tokens = OAuthTokens { _, _, new in rotated.withLock { $0 = new } }
        let verdict = await verdict(on: candidate, named: name, tokens)
        if let value = rotated.withLock({ $0 }) { candidate.value = value }
        switch verdict {
        case .good: return nil
        case .nobody: return "nothing was verified: no destination can use \(name)"
        case .silent(let what) where isUnverified: return "not verified: \(what)"
        case .unclear(let what):
            return
                "not verified: \(what), which says nothing of the value; `probe` of the destination names a request that needs it"
        case .silent(let what):
            recordOutcome(AuditEvent("rotate", "failed", secret: name, reason: "unverified"))
            throw CallError(
                .failedPrecondition, reason: "unverified",
                message:
                    "the new value could not be verified, the old one stays: \(what); --unverified puts it in force all the same")
        case .refused(let what):
            recordOutcome(AuditEvent("rotate", "failed", secret: name, reason: "refused"))
            throw CallError(
                .failedPrecondition, reason: "refused", message: "the new value was refused, the old one stays: \(what)")
        }
    }

    private func verdict(on candidate: StoredSecret, named name: String, _ tokens: OAuthTokens) async -> Verdict {
        let inForce = inForce.withLock { $0 }
        let table = DestinationTable(
            inForce.configuration.destinations.filter { $0.secret == name }, providers: inForce.providers,
            vault: .open([name: candidate]))
        let client = service.current.client
        var (silent, unclear): (String?, String?) = (nil, nil)
        var isAsked = false
        for destination in table.all {
            guard case .ready = destination.secret else { continue }
            isAsked = true
            let row = await tried(destination, client, tokens)
            if row.isRefused { return .refused("\(row.destination): \(row.message)") }
            switch row.status {
            case 401, 403: return .refused("\(row.destination) answers with status \(row.status ?? 0)")
            case .some(500...): silent = "\(row.destination) answers with status \(row.status ?? 0)"
            case nil: silent = "\(row.destination): \(row.message)"
            case .some(let status) where !(200 ..< 300).contains(status):
                unclear = "\(row.destination) answers with status \(status)"
            default: break
            }
        }
        if let silent { return .silent(silent) }
        if let unclear { return .unclear(unclear) }
        return isAsked ? .good : .nobody
    }

    private static func overtaken(_ name: String) -> CallError {
        CallError(
            .failedPrecondition, message: "\(name) was changed while its new value was verified; nothing was done, try again")
    }
}
