import BulkheadAPI
import BulkheadCore
import BulkheadServiceKit

// Verbs about what secrets were sealed for, and what destinations let their callers do.
extension CredentialsDaemon {
    var policyVerbs: [AdminVerb] {
        [
            AdminVerb("secrets.reseal.plan") { [self] (command: SecretCommand) in try resealPlan(command) },
            AdminVerb("policy.check") { [self] (asks: [PolicyAsk]) in try findings(asks) },
            AdminVerb("explain") { [self] (command: ExplainCommand) in try explain(command) },
        ]
    }

    /// What to seal a secret for; see `Sealing.decide`.
    func sealing(
        _ occasion: Sealing.Occasion, _ command: SecretCommand, known: SecretPolicy?
    ) throws(CallError) -> Sealing {
        let inForce = inForce.withLock { $0 }
        var asks = inForce.configuration.destinations.filter { $0.secret == command.name }.map { configuration in
            Grant(configuration, callers: configuration.callers(with: inForce.providers))
        }
        let egress = inForce.configuration.egress
        if egress.proxySecret == command.name, let grant = egress.proxyGrant { asks.append(grant) }
        let seal = try Sealing.decide(
            occasion, secret: command.name, host: command.host, preset: command.preset, known: known, asks: asks)
        guard let text = try? AdminJSON.encode(seal.grants), text.utf8.count <= Self.maxSealedBytes else {
            throw CallError(
                .invalidArgument,
                message: "the destinations that refer to \(command.name) have more policy than can be sealed with one secret "
                    + "(\(Self.maxSealedBytes) bytes): give some of them a secret of their own, or shorter lists")
        }
        return seal
    }

    /// What a vault keeps beside one value.
    private static let maxSealedBytes = 60_000

    /// Says in the trail what a secret may do from now on that it could not before; empty: nothing.
    func reason(_ changes: [SealedChange]) -> String {
        let words = Set(changes.flatMap { $0.widens.map(\.what) }).sorted().joined(separator: ",")
        return words.isEmpty ? "" : "widens:\(words)"
    }

    private func resealPlan(_ command: SecretCommand) throws -> ResealPlan {
        let known = try resealable(command.name)
        let seal = try sealing(.reseal, command, known: known)
        return ResealPlan(name: command.name, hosts: seal.places, widens: seal.widenings(beyond: known))
    }

    /// The policy of a secret in force.
    /// - Throws: NOT_FOUND.
    func resealable(_ name: String) throws(CallError) -> SecretPolicy {
        guard let known = try secrets()[name], known.policy.revoked == 0 else { throw Self.unknown(name) }
        return known.policy
    }

    private func findings(_ asks: [PolicyAsk]) throws(CallError) -> [PolicyFinding] {
        let secrets = try secrets()
        return asks.compactMap { ask in
            let name = ask.secret
            guard let policy = secrets[name]?.policy else {
                return PolicyFinding(
                    destination: ask.grant.destination, key: "secret", found: "\(name), which is not stored",
                    expected: "a stored secret: bulkhead-credentials set \(name)")
            }
            if policy.revoked > 0 {
                return PolicyFinding(
                    destination: ask.grant.destination, key: "secret", found: "\(name), which is revoked",
                    expected: "a secret in force: bulkhead-credentials set \(name)")
            }
            guard policy.conflict(with: ask.grant, secret: name) != nil,
                let first = policy.nearest(to: ask.grant)?.widenings(by: ask.grant).first
            else { return nil }
            return PolicyFinding(
                destination: ask.grant.destination, key: Self.key(of: first.what),
                found: "\(first.what) \(first.asked), beyond what was sealed with \(name)",
                expected: "\(first.what) \(first.sealed), or bulkhead-credentials reseal \(name)")
        }
    }

    /// The key of a destination's entry that a widening stands at.
    private static func key(of what: String) -> String {
        switch what {
        case "host", "scheme": "base_url"
        case "plain_http": "allow_plain_http"
        case "injection": "preset"
        case "pins": "tls"
        case "max_request", "max_response": "limits"
        default: what
        }
    }

    /// What is sealed with a secret of the destination but left to the configuration; nil when all of it is sealed.
    func looseSeal(_ destination: Destination) -> String? {
        guard let name = destination.configuration.secret, case .open(let secrets) = store.state,
            let ceiling = secrets[name]?.policy.ceiling
        else { return nil }
        let asked = Grant(destination.configuration, callers: destination.callers)
        guard !ceiling.contains(where: { $0.terms != nil && $0.covers(asked) }) else { return nil }
        return "\(name) is sealed for host and preset only, so that the configuration decides the rest: "
            + "bulkhead-credentials reseal \(name) seals it as it stands"
    }

    private func explain(_ command: ExplainCommand) throws -> [ExplainRow] {
        let destination = try service.current.table.find(command.destination)
        let request = CredentialsAPI.CallRequest(method: command.method ?? "GET", path: command.path ?? "/")
        return Self.callers.map(\.rawValue).sorted().map { caller in
            var row = ExplainRow(caller: caller, isAllowed: false, why: "")
            guard destination.callers.contains(caller) else {
                row.why = "is told that the destination does not exist: neither `callers` nor a reference names it"
                return row
            }
            do throws(CallError) {
                if command.path != nil { _ = try destination.target(of: request, peer: caller) }
                if case .unusable(let error) = destination.secret { throw error }
                row.isAllowed = true
                row.why =
                    destination.configuration.secret.map { "goes to \(destination.place) with \($0)" }
                    ?? "goes to \(destination.place), nothing is injected"
            } catch {
                row.why = error.message
            }
            return row
        }
    }
}
