import BulkheadCore
import CredentialsService
import Foundation
import Testing

/// A vault with a key, changed some times.
private struct Kept {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("key", [UInt8](repeating: 7, count: 32))
    }

    func vault(seen: UInt64 = 0) -> Vault {
        Vault(path: folder.path + "/vault.bhv", key: VaultKeySource(path: folder.path + "/key", origin: "a test")) { _ in seen }
    }

    func store(_ name: String, in vault: Vault) throws {
        let policy = SecretPolicy(host: try #require(SealedHost("api.example.com")), preset: .bearer, created: 5)
        let secret = StoredSecret(policy: policy, value: SecretBytes(Array("a-value-of-\(name)".utf8)))
        try vault.change { $0[name] = secret }
    }
}

private func failure(_ vault: Vault) -> StoreFailure? {
    if case .failed(let failure) = vault.state { return failure }
    return nil
}

private func names(_ vault: Vault) -> [String] {
    if case .open(let secrets) = vault.state { return secrets.keys.sorted() }
    return []
}

@Test("an older vault file put back as a whole is refused, and says what to do")
func olderFile() throws {
    let kept = try Kept()
    let vault = kept.vault()
    #expect(vault.open() == nil)
    try kept.store("ONE", in: vault)
    let older = try kept.folder.read("vault.bhv")
    try kept.store("TWO", in: vault)
    try kept.folder.write("vault.bhv", older)
    let again = kept.vault()
    #expect(again.open() != nil)
    #expect(failure(again)?.kind == .rolledBack)
    #expect(failure(again)?.message.contains("--accept-older") == true)
    #expect(failure(again)?.callError.reason == "vault_corrupt")
    #expect(throws: CallError.self) { try kept.store("THREE", in: again) }
    #expect(try kept.folder.read("vault.bhv") == older)
}

@Test("an accepted older vault is the newest from then on, at the next start too")
func acceptedOlder() throws {
    let kept = try Kept()
    let vault = kept.vault()
    vault.open()
    try kept.store("ONE", in: vault)
    let older = try kept.folder.read("vault.bhv")
    for name in ["TWO", "THREE"] { try kept.store(name, in: vault) }
    try kept.folder.write("vault.bhv", older)
    let again = kept.vault(seen: 9)
    #expect(again.unlock(nil, acceptsOlder: true) == nil)
    #expect(names(again) == ["ONE"])
    #expect(again.mark.hasSuffix("_10"))
    let next = kept.vault(seen: 10)
    #expect(next.open() == nil)
    #expect(names(next) == ["ONE"])
}

@Test("an older vault with its own older counter file is found out by what the audit trail has seen")
func olderPair() throws {
    let kept = try Kept()
    let vault = kept.vault()
    vault.open()
    try kept.store("ONE", in: vault)
    let again = kept.vault(seen: 2)
    again.open()
    #expect(failure(again)?.kind == .rolledBack)
    let informed = kept.vault(seen: 1)
    #expect(informed.open() == nil)
}

@Test("another file with the same number of changes, and a damaged counter file, are refused")
func forked() throws {
    let kept = try Kept()
    let vault = kept.vault()
    vault.open()
    try kept.store("ONE", in: vault)
    let (file, counter) = (try kept.folder.read("vault.bhv"), try kept.folder.read("vault.counter"))
    try kept.store("TWO", in: vault)
    let newer = try kept.folder.read("vault.counter")
    try kept.folder.write("vault.bhv", file)
    try kept.folder.write("vault.counter", counter)
    let fork = kept.vault()
    #expect(fork.open() == nil)
    try kept.store("OTHER", in: fork)
    try kept.folder.write("vault.counter", newer)
    let again = kept.vault()
    again.open()
    #expect(failure(again)?.kind == .rolledBack)
    var damaged = newer
    damaged[30] ^= 1
    try kept.folder.write("vault.counter", damaged)
    let third = kept.vault()
    third.open()
    #expect(failure(third)?.kind == .rolledBack)
}

@Test("a crash between the vault file and its counter is no rollback")
func crashBetween() throws {
    let kept = try Kept()
    let vault = kept.vault()
    vault.open()
    try kept.store("ONE", in: vault)
    let counter = try kept.folder.read("vault.counter")
    try kept.store("TWO", in: vault)
    try kept.folder.write("vault.counter", counter)
    let again = kept.vault()
    #expect(again.open() == nil)
    #expect(names(again) == ["ONE", "TWO"])
}

@Test("the key comes from the configured file, else a systemd credential, else a Docker secret, else the state folder")
func keySources() throws {
    let (credentials, secrets) = (try TemporaryFolder(), try TemporaryFolder())
    func found(_ configured: String? = nil) -> VaultKeySource {
        VaultKeySource.find(
            configured: configured, state: "/state", makesKey: false, credentials: credentials.path, secrets: secrets.path)
    }
    #expect(found().path == "/state/vault.key")
    try secrets.write("vault-key", [1])
    #expect(found().path == secrets.path + "/vault-key" && found().isMounted)
    try credentials.write("vault-key", [1])
    #expect(found().path == credentials.path + "/vault-key" && found().origin.contains("systemd"))
    #expect(found("/etc/key").path == "/etc/key" && !found("/etc/key").isMounted)
}

@Test("a mounted key may be readable by others, one of the operator's own may not")
func mountedKey() throws {
    let folder = try TemporaryFolder()
    try folder.write("key", [UInt8](repeating: 7, count: 32), mode: 0o444)
    for isMounted in [true, false] {
        let key = VaultKeySource(path: folder.path + "/key", origin: "a test", isMounted: isMounted)
        #expect((Vault(path: folder.path + "/vault.bhv", key: key).open() == nil) == isMounted)
    }
}

@Test("32 characters of text are a passphrase, whether a line break follows or not")
func textOf32() throws {
    let text = "exactly-32-characters-of-a-text!"
    #expect(text.utf8.count == 32)
    let kept = try Kept()
    try kept.folder.write("key", Array(text.utf8))
    let vault = kept.vault()
    #expect(vault.open() == nil)
    try kept.store("ONE", in: vault)
    try kept.folder.write("key", Array((text + "\n").utf8))
    let again = kept.vault()
    #expect(again.open() == nil)
    #expect(names(again) == ["ONE"])
}
