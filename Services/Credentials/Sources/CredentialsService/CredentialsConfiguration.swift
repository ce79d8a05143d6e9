import BulkheadConfig

/// How the process reaches the internet.
package struct EgressConfiguration: Sendable, Equatable {
    /// An HTTP proxy that destinations are reached through; nil: directly.
    package var proxy: AbsoluteURL?
    /// The secret `user:password` that the proxy wants; nil: none.
    package var proxySecret: String?
    /// PEM file of certificate authorities trusted besides the system's.
    package var caFile: String?

    /// Directly, with the system's authorities, unless told otherwise.
    package init(proxy: AbsoluteURL? = nil, proxySecret: String? = nil, caFile: String? = nil) {
        self.proxy = proxy
        self.proxySecret = proxySecret
        self.caFile = caFile
    }

    init(_ section: ConfigSection) {
        proxy = section.url("proxy", schemes: ["http"])
        proxySecret = section.optionalString("proxy_secret")
        caFile = section.optionalString("ca_file")
        if proxy?.userInfo != nil {
            section.report(
                "proxy", found: "a URL with user or password",
                expected: "http://HOST:PORT alone; store user:password with bulkhead-credentials set NAME and name it in "
                    + "`proxy_secret`")
        }
        guard let proxySecret else { return }
        if !StoredSecret.isName(proxySecret) {
            section.report(
                "proxy_secret", found: "no name of a secret",
                expected: "the name of a stored secret such as PROXY_LOGIN; its value is user:password")
        } else if proxy == nil {
            section.report("proxy_secret", found: proxySecret, expected: "`proxy` beside it")
        }
    }

    /// What the proxy asks of its secret; nil without one.
    package var proxyGrant: Grant? {
        guard let proxy, proxySecret != nil else { return nil }
        return Grant(place: SealedHost(host: proxy.host, port: proxy.effectivePort ?? 80), preset: .basic)
    }
}

/// The section `credentials`.
package struct CredentialsConfiguration: ServiceConfiguration {
    package static let sectionName = "credentials"

    /// Which store holds the secrets.
    package var store: StoreKind
    /// The file with the vault's key; nil: see `VaultKeySource`.
    package var keyFile: String?
    /// How the Secret Service is reached.
    package var keychain: KeychainConfiguration
    /// A folder of files NAME → secret, read at start and on reload.
    package var importFolder: String?
    /// Proxy and certificate authorities.
    package var egress: EgressConfiguration
    /// The audit trail's key and size.
    package var audit: AuditConfiguration
    /// Whether secrets may lie in memory that is not locked.
    package var allowsUnlockedMemory: Bool
    /// By name, in file order.
    package var destinations: [DestinationConfiguration]

    package init(section: ConfigSection, suite: SuiteConfiguration) {
        store = section.choice("store", default: .vault)
        keyFile = section.section("vault").optionalString("key_file")
        keychain = KeychainConfiguration(section.section("keychain"))
        importFolder = section.optionalString("import_dir")
        egress = EgressConfiguration(section.section("egress"))
        audit = AuditConfiguration(section: section.section("audit"))
        allowsUnlockedMemory = section.section("memory").bool("allow_unlocked", default: false)
        let map = section.section("destinations")
        destinations = section.map("destinations").compactMap { name, inner in
            if !DestinationConfiguration.isName(name) {
                map.reportKey(name, expected: "a name of at most 64 letters, digits, '-' and '_'")
            }
            return DestinationConfiguration(name: name, section: inner, environment: suite.environment)
        }
    }
}
