/// What `reseal` would do, before it does.
package struct ResealPlan: Codable, Sendable {
    package var name: String
    /// All hosts the secret may go to afterwards.
    package var hosts: String
    /// What it may do afterwards that it may not do now; empty: nothing.
    package var widens: [SealedChange]
}

/// What a destination of a configuration file asks for, to be compared with what is sealed.
package struct PolicyAsk: Codable, Sendable {
    /// The name of its secret.
    package var secret: String
    package var grant: Grant

    /// What a destination asks for; nil when it has no secret.
    package init?(_ configuration: DestinationConfiguration, _ references: ProviderReferences) {
        guard let secret = configuration.secret else { return nil }
        self.secret = secret
        grant = Grant(configuration, callers: configuration.callers(with: references))
    }

    /// What the proxy asks for; nil when it wants no secret.
    package init?(_ egress: EgressConfiguration) {
        guard let secret = egress.proxySecret, let grant = egress.proxyGrant else { return nil }
        self.secret = secret
        self.grant = grant
    }
}

/// Why a destination could not use its secret.
package struct PolicyFinding: Codable, Sendable {
    /// Empty: the proxy.
    package var destination: String
    /// The key of its entry that is to blame.
    package var key: String
    package var found: String
    package var expected: String
}

/// Arguments of `explain`.
package struct ExplainCommand: Codable, Sendable {
    package var destination: String
    /// nil: GET.
    package var method: String?
    /// nil: only callers and secret are looked at.
    package var path: String?

    /// Arguments.
    package init(destination: String, method: String? = nil, path: String? = nil) {
        self.destination = destination
        self.method = method
        self.path = path
    }
}

/// Whether one service could make a call.
package struct ExplainRow: Codable, Sendable {
    package var caller: String
    package var isAllowed: Bool
    /// Where it goes, or what is in the way.
    package var why: String
}
