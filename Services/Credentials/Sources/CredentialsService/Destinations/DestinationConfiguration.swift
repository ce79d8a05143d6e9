import BulkheadConfig
import BulkheadCore

/// One entry of `credentials.destinations`.
package struct DestinationConfiguration: Sendable {
    /// What callers name.
    package var name: String
    /// Scheme, host, port and a path that precedes every call's.
    package var url: AbsoluteURL
    /// The name of the secret; nil: nothing is injected.
    package var secret: String?
    /// How the secret is injected.
    package var injection: InjectionSpec
    /// Whether addresses of this machine and of private networks are allowed.
    package var privateNetwork: Bool
    /// Whether a secret may go over plain http.
    package var allowsPlain: Bool
    /// What is asked of the upstream's TLS.
    package var tls: TLSRule
    /// Upper-case; nil: all but TRACE and CONNECT.
    package var methods: Set<String>?
    /// nil: all.
    package var paths: [PathPattern]?
    /// Services that may call; nil: whoever the suite's configuration implies.
    package var callers: Set<String>?
    /// Request headers that pass.
    package var headers: RequestHeaderRule
    /// Calls a minute; nil: no limit.
    package var rate: RateRule?
    /// The request of `test` and `rotate`; nil: the usual one of the preset.
    package var probe: Probe?
    /// Bounds.
    package var limits: DestinationLimits

    /// Reads one entry; nil when it has no usable URL, which has been reported.
    init?(name: String, section: ConfigSection, environment: Environment) {
        self.name = name
        secret = section.secretName("secret")
        injection = InjectionSpec(section)
        privateNetwork = section.bool("private_network", default: false)
        methods = Self.methods(section)
        paths = Self.paths(section)
        callers = Self.callers(section)
        headers = RequestHeaderRule(section.section("headers"))
        rate = RateRule(section.section("rate"))
        probe = Probe(section.section("probe"))
        limits = DestinationLimits(section.section("limits"))
        tls = TLSRule(section.section("tls"))
        allowsPlain = section.bool("allow_plain_http", default: false)
        guard let url = Self.url(section) else { return nil }
        self.url = url
        checkURL(section)
        checkNetwork(section, environment: environment)
        injection.checkNetwork(
            section, allowsPrivate: privateNetwork, allowsPlain: allowsPlain && environment != .production)
        if injection.places.contains(where: { $0.kind == .path }), !["", "/"].contains(url.path) {
            section.report("base_url", found: url.path, expected: "no path beside `path`, which precedes every call's path")
        }
    }

    /// Letters, digits, `-` and `_`, at most 64.
    package static func isName(_ text: String) -> Bool {
        (1 ... 64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }

    /// The path that precedes every call's, without a slash at its end.
    package var basePath: String { url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path }

    /// The request of `test` and `rotate`.
    package var effectiveProbe: Probe { probe ?? .usual(injection.preset) }

    /// Host and port as secrets are sealed to: `api.openai.com`, `127.0.0.1:9000`.
    package var place: SealedHost { SealedHost(host: url.host, port: url.effectivePort ?? 443) }

    // MARK: reading

    private static func methods(_ section: ConfigSection) -> Set<String>? {
        let methods = section.strings("methods", default: [])
        guard section.contains("methods") else { return nil }
        for method in methods where !HeaderSyntax.isMethod(method) || ["TRACE", "CONNECT"].contains(method) {
            section.report(
                "methods", found: method, expected: "HTTP methods in capitals such as GET or POST; never TRACE or CONNECT")
        }
        return Set(methods)
    }

    private static func paths(_ section: ConfigSection) -> [PathPattern]? {
        let texts = section.strings("paths", default: [])
        guard section.contains("paths") else { return nil }
        return texts.compactMap { text in
            if let pattern = PathPattern(text) { return pattern }
            section.report("paths", found: text, expected: "paths such as /v1/balance, /v1/*/items or /v1/**; ** only at the end")
            return nil
        }
    }

    private static func callers(_ section: ConfigSection) -> Set<String>? {
        let callers = section.strings("callers", default: [])
        guard section.contains("callers") else { return nil }
        let known = [ServiceName.edge, .router, .retrieval, .session, .telemetry].map(\.rawValue)
        for caller in callers { section.reference("callers", caller, among: known, what: "a service that may call") }
        return Set(callers)
    }

    private static func url(_ section: ConfigSection) -> AbsoluteURL? {
        guard section.contains("base_url") else { return section.requiredURL("base_url", schemes: ["https", "http"]) }
        guard let text = section.optionalString("base_url") else { return nil }
        if let authority = HostSyntax.authority(of: text), let problem = HostSyntax.problem(authority) {
            section.report("base_url", found: String(authority), expected: problem)
            return nil
        }
        return section.requiredURL("base_url", schemes: ["https", "http"])
    }

    // MARK: rules

    private func checkURL(_ section: ConfigSection) {
        if url.scheme == "http", section.contains("tls") {
            section.report("tls", found: "http", expected: "this key only with https")
        }
        if url.userInfo != nil || url.query != nil {
            section.report(
                "base_url", found: url.description,
                expected: "scheme, host, port and path only; a key goes into `secret`, never into the URL")
        }
        if !url.path.isEmpty, TargetSyntax.pathProblem(url.path) != nil {
            section.report("base_url", found: url.path, expected: "a path without '.', '..', empty segments and encoded slashes")
        }
    }

    private func checkNetwork(_ section: ConfigSection, environment: Environment) {
        let kind = NetworkKind(host: url.host)
        if kind == .forbidden {
            section.report(
                "base_url", found: url.host,
                expected: "an address that can be a service; this one is link-local, multicast or unspecified")
        } else if kind == .inside, !privateNetwork {
            section.report(
                "base_url", found: url.host,
                expected: "a public host, or private_network: true beside it for one of this machine or network")
        }
        guard url.scheme == "http" else { return }
        if secret == nil {
            if !privateNetwork && !allowsPlain {
                section.report("base_url", found: "http://", expected: "https://, or allow_plain_http: true beside it")
            }
        } else if environment == .production {
            section.report("base_url", found: "http://", expected: "https://: in production no secret goes over plain http")
        } else if !allowsPlain || !privateNetwork {
            section.report(
                "base_url", found: "http://",
                expected: "https://, or private_network: true and allow_plain_http: true beside it to send a secret in the clear")
        }
    }
}
