import Glibc

/// Where the vault's key is read from. The first that is there: the configured file, a systemd credential, a Docker secret,
/// `vault.key` of the state folder.
package struct VaultKeySource: Sendable, Equatable {
    /// The file.
    package var path: String
    /// What it is, for people.
    package var origin: String
    /// Whether a missing file is made while there is no vault yet (development).
    package var makesKey: Bool
    /// Orchestrators mount secrets readable to the container's or service's own users, and by way of symbolic links.
    package var isMounted = false

    /// A file with the key.
    package init(path: String, origin: String, makesKey: Bool = false, isMounted: Bool = false) {
        self.path = path
        self.origin = origin
        self.makesKey = makesKey
        self.isMounted = isMounted
    }

    /// The name of the systemd credential and of the Docker secret.
    private static let mountedName = "vault-key"

    /// - Parameters:
    ///   - configured: `credentials.vault.key_file`.
    ///   - state: the state folder.
    ///   - makesKey: whether a missing key may be made, when none is configured or mounted.
    ///   - credentials: `CREDENTIALS_DIRECTORY` of systemd.
    ///   - secrets: where Docker mounts secrets.
    package static func find(
        configured: String?, state: String, makesKey: Bool,
        credentials: String? = getenv("CREDENTIALS_DIRECTORY").map { String(cString: $0) }, secrets: String = "/run/secrets"
    ) -> VaultKeySource {
        let folders = [credentials, secrets].compactMap { $0 }
        if let configured {
            return VaultKeySource(
                path: configured, origin: "credentials.vault.key_file", makesKey: makesKey,
                isMounted: folders.contains { configured.hasPrefix($0 + "/") })
        }
        for (folder, origin) in [(credentials, "the systemd credential"), (secrets, "the Docker secret")] {
            guard let folder, access("\(folder)/\(mountedName)", F_OK) == 0 else { continue }
            return VaultKeySource(path: "\(folder)/\(mountedName)", origin: "\(origin) \(mountedName)", isMounted: true)
        }
        return VaultKeySource(path: "\(state)/vault.key", origin: "vault.key of the state folder", makesKey: makesKey)
    }
}
