import BulkheadConfig

/// How the process reaches the internet.
package struct EgressConfiguration: Sendable, Equatable {
    /// An HTTP proxy that destinations are reached through; nil: directly.
    package var proxy: AbsoluteURL?
    /// PEM file of certificate authorities trusted besides the system's.
    package var caFile: String?

    /// Directly, with the system's authorities, unless told otherwise.
    package init(proxy: AbsoluteURL? = nil, caFile: String? = nil) {
        self.proxy = proxy
        self.caFile = caFile
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
        let egress = section.section("egress")
        self.egress = EgressConfiguration(
            proxy: egress.url("proxy", schemes: ["http"]), caFile: egress.optionalString("ca_file"))
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
