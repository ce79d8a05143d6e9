import CredentialsService
import Foundation

/// One of the two stores, with what it stands on.
final class StoreUnderTest {
    let kind: StoreKind
    private let folder: String
    private var keyring: KeyringServer?

    init(_ kind: StoreKind) throws {
        self.kind = kind
        folder = FileManager.default.temporaryDirectory.path + "/bkt-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        switch kind {
        case .vault: try write("key", [UInt8](repeating: 7, count: 32))
        case .keychain: keyring = try KeyringServer()
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// The store as a process opens it at its start.
    func open() -> any SecretStore {
        let store = make()
        store.open()
        return store
    }

    private func make() -> any SecretStore {
        switch kind {
        case .vault: Vault(path: folder + "/vault.bhv", key: VaultKeySource(path: folder + "/key", origin: "a test"))
        case .keychain: Keychain(KeychainConfiguration(bus: keyring?.address, maxStale: .zero))
        }
    }

    /// Takes away what opens it.
    func lock() throws {
        switch kind {
        case .vault: try write("key", [UInt8](repeating: 8, count: 32))
        case .keychain:
            keyring?.endDaemon()
            try keyring?.startDaemon(password: "a wrong password")
        }
    }

    /// Gives back what opens it.
    func unlock() throws {
        switch kind {
        case .vault: try write("key", [UInt8](repeating: 7, count: 32))
        case .keychain:
            keyring?.endDaemon()
            try keyring?.startDaemon()
        }
    }

    /// Changes what is stored behind the store's back.
    func tamper(with name: String) throws {
        switch kind {
        case .vault:
            var bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: folder + "/vault.bhv")))
            bytes[bytes.count / 2] ^= 1
            try write("vault.bhv", bytes)
        case .keychain: try keyring?.overwrite(name, with: "something else")
        }
    }

    /// Makes writing fail.
    func block() throws {
        switch kind {
        case .vault:
            // What is written first cannot be replaced by a file.
            try FileManager.default.createDirectory(atPath: folder + "/vault.bhv.new/x", withIntermediateDirectories: true)
        case .keychain: keyring?.endDaemon()
        }
    }

    func unblock() throws {
        switch kind {
        case .vault: try FileManager.default.removeItem(atPath: folder + "/vault.bhv.new")
        case .keychain: try keyring?.startDaemon()
        }
    }

    private func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: "\(folder)/\(name)")
    }
}
