import BulkheadCore

/// What a secret is sealed for when it is stored or resealed.
package struct Sealing: Sendable, Equatable {
    /// When secrets are sealed.
    package enum Occasion: Sendable {
        /// A value is stored by an operator.
        case set
        /// A value replaces another; what was sealed stays.
        case rotate
        /// A file of `import_dir`; what was sealed stays.
        case importing
        /// An operator lets the secret follow the configuration.
        case reseal
    }

    /// One at least.
    package var grants: [Grant]
    /// Whether the host was taken from the destinations.
    package var isInferred: Bool

    /// The host of the first grant.
    package var host: SealedHost { grants[0].place }
    /// The preset of the first grant.
    package var preset: Preset { grants[0].preset }
    /// All hosts, for people; where it goes for access tokens is one of them.
    package var places: String {
        let tokens = grants.compactMap { $0.terms?.injection.oauth.map { "\($0.tokenURL) for tokens" } }
        return (Set(grants.map(\.place.description)).sorted() + Set(tokens).sorted()).joined(separator: ", ")
    }

    /// Why a value cannot be used as one of the grants says; nil when it can. Never repeats it.
    package func problem(with value: [UInt8]) -> String? {
        let bytes = SecretBytes(value)
        return grants.lazy.compactMap { $0.terms?.injection }.compactMap { Injection($0, value: bytes).problem }.first
            .map { "the value \($0); nothing was stored" }
    }

    /// Grants at most: more destinations than that do not share a secret.
    private static let maxGrants = 256

    /// Decides what to seal. As asked for, else (for a new value) as it was, else as the destinations say that refer to it.
    /// - Parameters:
    ///   - host: `host[:port]` of the operator, or several with commas.
    ///   - known: what is sealed now.
    ///   - asks: what the destinations that refer to the secret ask for.
    /// - Throws: INVALID_ARGUMENT with what to say.
    package static func decide(
        _ occasion: Occasion, secret: String, host: String?, preset: String?, known: SecretPolicy?, asks: [Grant]
    ) throws(CallError) -> Sealing {
        let preset = try self.preset(preset)
        if let host { return try explicit(places(host), preset, known, asks) }
        let keeps = occasion == .rotate || occasion == .importing
        if keeps, preset == nil, let known { return Sealing(grants: known.ceiling, isInferred: false) }
        let fitting = asks.filter { preset == nil || $0.preset == preset }
        let hosts = Set(asks.map(\.place))
        if occasion == .set, hosts.count > 1 {
            if let known, preset == nil { return Sealing(grants: known.ceiling, isInferred: false) }
            throw ambiguous(secret, hosts)
        }
        if !fitting.isEmpty { return Sealing(grants: Array(fitting.prefix(maxGrants)), isInferred: true) }
        if let place = hosts.first, hosts.count == 1, let preset {
            return Sealing(grants: [Grant(place: place, preset: preset)], isInferred: true)
        }
        if let known, occasion != .reseal || preset != nil {
            return Sealing(
                grants: preset.map { [Grant(place: known.host, preset: $0)] } ?? known.ceiling, isInferred: false)
        }
        throw hosts.isEmpty ? unreferred(secret) : ambiguous(secret, hosts)
    }

    private static func explicit(
        _ places: [SealedHost], _ preset: Preset?, _ known: SecretPolicy?, _ asks: [Grant]
    ) -> Sealing {
        let grants = places.flatMap { place -> [Grant] in
            let fitting = asks.filter { $0.place == place && (preset == nil || $0.preset == preset) }
            if !fitting.isEmpty { return Array(fitting.prefix(maxGrants)) }
            return [Grant(place: place, preset: preset ?? known?.preset ?? asks.first?.preset ?? .bearer)]
        }
        return Sealing(grants: grants, isInferred: false)
    }

    /// What the change lets the secret do that it may not do now; empty when it only narrows.
    package func widenings(beyond known: SecretPolicy) -> [SealedChange] {
        grants.compactMap { grant in
            let ceiling = known.ceiling
            guard !ceiling.contains(where: { $0.covers(grant) }), let nearest = known.nearest(to: grant) else { return nil }
            return SealedChange(
                destination: grant.destination, host: grant.place.description, widens: nearest.widenings(by: grant))
        }
    }

    // MARK: what an operator wrote

    private static func places(_ text: String) throws(CallError) -> [SealedHost] {
        var places: [SealedHost] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let place = SealedHost(String(part)) else {
                let advice = HostSyntax.problem(part) ?? "a host or host:port such as api.openai.com"
                throw CallError(.invalidArgument, message: "--host takes \(advice); several with commas between them")
            }
            if !places.contains(place) { places.append(place) }
        }
        return places
    }

    private static func preset(_ text: String?) throws(CallError) -> Preset? {
        guard let text else { return nil }
        if let preset = Preset(rawValue: text) { return preset }
        let known = Preset.allCases.map(\.rawValue).joined(separator: ", ")
        throw CallError(.invalidArgument, message: "--preset takes one of: \(known)")
    }

    private static func ambiguous(_ secret: String, _ hosts: Set<SealedHost>) -> CallError {
        let names = hosts.map(\.description).sorted().joined(separator: ",")
        return CallError(
            .invalidArgument,
            message:
                "destinations with different hosts refer to \(secret): say where it may be sent with --host HOST, or with all "
                + "of them: --host \(names)")
    }

    private static func unreferred(_ secret: String) -> CallError {
        CallError(
            .invalidArgument, message: "no destination refers to \(secret); say where it may be sent with --host HOST")
    }
}

/// What `reseal` lets one destination do that it may not do yet.
package struct SealedChange: Sendable, Hashable, Codable {
    /// The destination; empty for a host that an operator named.
    package var destination: String
    package var host: String
    /// In what it goes beyond what is sealed.
    package var widens: [Widening]

    /// One line for people.
    package var text: String {
        let subject = destination.isEmpty ? host : "destination \(destination)"
        return "\(subject): " + widens.map(\.description).joined(separator: "; ")
    }
}

extension SecretPolicy {
    /// What was sealed: at least one grant. Secrets of before grants were kept were sealed for host and preset.
    package var ceiling: [Grant] { grants.isEmpty ? [Grant(place: host, preset: preset)] : grants }

    /// The grant to compare with: that of the same destination, else of the same host, else the first.
    func nearest(to asked: Grant) -> Grant? {
        let ceiling = ceiling
        return ceiling.first { !$0.destination.isEmpty && $0.destination == asked.destination }
            ?? ceiling.first { $0.place == asked.place } ?? ceiling.first
    }

    /// In what a destination goes beyond what was sealed, as its callers and the operator are told; nil when it does not.
    func conflict(with asked: Grant, secret: String) -> String? {
        guard !ceiling.contains(where: { $0.covers(asked) }), let first = nearest(to: asked)?.widenings(by: asked).first else {
            return nil
        }
        return "destination \(asked.destination) goes beyond what was sealed with secret \(secret): \(first.what) is "
            + "\(first.asked), sealed is \(first.sealed); change it back, or run bulkhead-credentials reseal \(secret)"
    }
}
