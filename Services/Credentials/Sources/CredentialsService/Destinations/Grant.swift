/// What a secret was sealed for, as one destination stood when it was stored or resealed; also what a destination asks for
/// now. The configuration may ask for less than a grant gives, never for more.
package struct Grant: Sendable, Hashable, Codable {
    /// The destination it was made from; empty when an operator named the host.
    package var destination: String
    /// The only place the secret may be sent to.
    package var place: SealedHost
    /// How it is injected.
    package var preset: Preset
    /// All the rest; nil when only host and preset were sealed: then the rest is the configuration's.
    package var terms: GrantTerms?

    /// For a host and a preset, whatever the rest.
    package init(place: SealedHost, preset: Preset) {
        destination = ""
        self.place = place
        self.preset = preset
    }

    /// What a destination asks for.
    /// - Parameter callers: the services that may call it.
    package init(_ configuration: DestinationConfiguration, callers: Set<String>) {
        destination = configuration.name
        place = configuration.place
        preset = configuration.injection.preset
        terms = GrantTerms(configuration, callers: callers)
    }
}

/// What a destination lets its callers do with its secret.
package struct GrantTerms: Sendable, Hashable, Codable {
    /// Whether connections are encrypted.
    package var isTLS: Bool
    /// The path before every call's, without a slash at its end.
    package var base: String
    /// Where the secret goes in a request.
    package var injection: InjectionSpec
    /// Sorted; nil: all but TRACE and CONNECT.
    package var methods: [String]?
    /// Patterns, in order; nil: all.
    package var paths: [String]?
    /// Services, sorted.
    package var callers: [String]
    /// Request headers that pass.
    package var headers: RequestHeaderRule
    /// Whether addresses of this machine and of private networks are allowed.
    package var privateNetwork: Bool
    /// Whether plain http is allowed.
    package var plainHTTP: Bool
    /// What is asked of the upstream's TLS.
    package var tls: TLSRule
    /// Bytes of a request's and of a response's body.
    package var maxRequest: Int
    package var maxResponse: Int
    /// Calls a minute; nil: no limit.
    package var rate: RateRule?
    /// The request of `test` and `rotate`; nil: the usual one.
    package var probe: Probe?

    init(_ configuration: DestinationConfiguration, callers: Set<String>) {
        isTLS = configuration.url.scheme == "https"
        base = configuration.basePath
        injection = configuration.injection
        methods = configuration.methods?.sorted()
        paths = configuration.paths?.map(\.text)
        self.callers = callers.sorted()
        headers = configuration.headers
        privateNetwork = configuration.privateNetwork
        plainHTTP = configuration.allowsPlain
        tls = configuration.tls
        maxRequest = configuration.limits.maxRequest
        maxResponse = configuration.limits.maxResponse
        rate = configuration.rate
        probe = configuration.probe
    }

    /// The paths at the upstream that calls may reach.
    var reach: [PathPattern] {
        paths.map { $0.compactMap { PathPattern($0)?.below(base) } } ?? [PathPattern(all: base)]
    }
}
