import BulkheadConfig
import BulkheadCore
import Glibc

/// Who may call.
package enum AuthMode: String, CaseIterable, Sendable {
    case keys
    /// Tokens of an OpenID provider, and keys.
    case oidc
    /// Everybody, as the tenant `default`.
    case none
}

/// What a guardrail does.
package enum GuardrailMode: String, CaseIterable, Sendable {
    case off, monitor, enforce, redact
}

/// The section `edge`. A class, because requests hold on to it while they wait: a reference each, not a copy.
package final class EdgeConfiguration: ServiceConfiguration {
    package static let sectionName = "edge"
    /// The guardrails by their configuration name, with their defaults.
    package static let guardrailDefaults: [(name: String, mode: GuardrailMode)] = [
        ("secrets", .enforce), ("canary", .enforce), ("hidden_text", .enforce), ("injection", .monitor), ("pii", .monitor),
        ("links", .monitor), ("output_schema", .enforce),
    ]

    /// Where clients connect.
    package let listen: HostPort
    /// Where operators connect; nil: on `listen`.
    package let opsListen: HostPort?
    /// CIDRs whose X-Forwarded-For counts.
    package let trustedProxies: [String]
    /// Certificate and key files; nil: plain HTTP.
    package let tls: (certificate: String, key: String)?
    package let auth: AuthMode
    /// nil: `auth` is another mode.
    package let oidc: OIDCConfiguration?
    /// Largest JSON body in bytes.
    package let maxJSON: Int
    /// Largest upload in bytes.
    package let maxUpload: Int
    /// The longest any request may take.
    package let requestTimeout: Duration
    /// Requests that run at once; more wait.
    package let maxConcurrentRequests: Int
    /// Requests that wait at once; more are refused.
    package let queueDepth: Int
    /// How long a request waits before it is refused.
    package let queueMaxWait: Duration
    /// How long a request waits for a limit that will soon admit it; zero: it is refused at once.
    package let queueMaxLimitWait: Duration
    /// Routes that refuse to run without an Idempotency-Key.
    package let idempotencyRequiredOn: [String]
    /// For whom an Idempotency-Key counts.
    package let idempotencyScope: IdempotencyScope
    package let guardrails: [String: GuardrailMode]

    /// Reads the section; problems are reported into it.
    package init(section: ConfigSection, suite: SuiteConfiguration) {
        listen = section.hostPort("listen", default: HostPort(host: "127.0.0.1", port: 8080), allowsPortZero: true)
        opsListen = section.optionalHostPort("ops_listen", allowsPortZero: true)
        trustedProxies = section.strings("trusted_proxies", default: [])
        tls = Self.tls(section.section("tls"))
        let auth = section.section("auth")
        self.auth = auth.choice("mode", default: .keys)
        oidc = OIDCConfiguration.read(auth, in: section, mode: self.auth)
        maxJSON = section.size("max_json", default: 32 << 20, in: 1024 ... 256 << 20)
        maxUpload = section.size("max_upload", default: 512 << 20, in: 1024 ... 64 << 30)
        requestTimeout = section.duration("request_timeout", default: .seconds(660), in: .milliseconds(10) ... .seconds(840))
        maxConcurrentRequests = section.int("max_concurrent_requests", default: 8192, in: 1 ... 1_000_000)
        let queue = section.section("queue")
        queueDepth = queue.int("depth", default: 256, in: 0 ... 1_000_000)
        queueMaxWait = queue.duration("max_wait", default: .seconds(10), in: .zero ... .seconds(600))
        queueMaxLimitWait = queue.duration("max_limit_wait", default: .seconds(1), in: .zero ... .seconds(60))
        if queue.contains("max_limit_wait"), queueMaxLimitWait > queueMaxWait {
            queue.report(
                "max_limit_wait", found: "\(queueMaxLimitWait)", expected: "at most queue.max_wait, which is \(queueMaxWait)")
        }
        let idempotency = section.section("idempotency")
        let required = idempotency.strings("require_on", default: [])
        for name in required {
            idempotency.reference("require_on", name, among: RequiredRoutes.known, what: "a route or a group of routes")
        }
        idempotencyRequiredOn = required.flatMap { RequiredRoutes.routes($0) ?? [] }
        idempotencyScope = idempotency.choice("scope", default: .user)
        guardrails = Self.guardrails(section.section("guardrails"))
        check(section, auth, suite)
    }

    private static func tls(_ section: ConfigSection) -> (certificate: String, key: String)? {
        guard section.isPresent else { return nil }
        return (section.requiredString("certificate"), section.requiredString("key"))
    }

    private static func guardrails(_ section: ConfigSection) -> [String: GuardrailMode] {
        var modes: [String: GuardrailMode] = [:]
        for (name, standard) in guardrailDefaults {
            let mode = section.choice(name, default: standard)
            modes[name] = mode
            if mode == .redact, name != "pii" {
                section.report(name, found: mode.rawValue, expected: "one of: off, monitor, enforce (only pii can redact)")
            }
        }
        return modes
    }

    private func check(_ section: ConfigSection, _ auth: ConfigSection, _ suite: SuiteConfiguration) {
        for (index, proxy) in trustedProxies.enumerated() where !Self.isCIDR(proxy) {
            section.report(
                "trusted_proxies", found: "[\(index)] \(proxy)", expected: "an address range such as 10.0.0.0/8 or fd00::/8")
        }
        if suite.environment == .production, self.auth == .none, !listen.isLoopback {
            auth.report(
                "mode", found: AuthMode.none.rawValue,
                expected: "keys: in production auth mode none is allowed on a loopback address only, and listen is \(listen)")
        }
        if let opsListen, opsListen == listen, listen.port != 0 {
            section.report("ops_listen", found: opsListen.description, expected: "another address than listen")
        }
    }

    static func isCIDR(_ text: String) -> Bool {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2, let bits = Int(halves[1]), halves[1].allSatisfy(\.isNumber) else { return false }
        var four = in_addr()
        if inet_pton(AF_INET, String(halves[0]), &four) == 1 { return (0 ... 32).contains(bits) }
        var six = in6_addr()
        return inet_pton(AF_INET6, String(halves[0]), &six) == 1 && (0 ... 128).contains(bits)
    }
}
