import BulkheadCore
import CredentialsService
import Foundation
import Testing

private let key = [UInt8](repeating: 7, count: 32)
private let value = Array("sk-made-up-value-0123456789".utf8)

/// A folder with a key and a vault that holds one secret.
private func filled(key: [UInt8] = key) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try folder.write("key", key)
    let vault = vault(folder)
    #expect(vault.open() == nil)
    let policy = try policy
    try vault.change { $0["ONE"] = StoredSecret(policy: policy, value: SecretBytes(value)) }
    return folder
}

private var policy: SecretPolicy {
    get throws { SecretPolicy(host: try #require(SealedHost("api.example.com")), preset: .bearer, created: 5) }
}

private func vault(_ folder: TemporaryFolder, makesKey: Bool = false) -> Vault {
    Vault(path: folder.path + "/vault.bhv", key: VaultKeySource(path: folder.path + "/key", origin: "a test", makesKey: makesKey))
}

private func secrets(_ vault: Vault) -> [String: StoredSecret]? {
    if case .open(let secrets) = vault.state { return secrets }
    return nil
}

private func failure(_ vault: Vault) -> StoreFailure? {
    if case .failed(let failure) = vault.state { return failure }
    return nil
}

@Test("what was stored is there after the vault was opened again, value and policy")
func roundTrip() throws {
    let folder = try filled()
    let again = vault(folder)
    #expect(again.open() == nil)
    let stored = try #require(secrets(again)?["ONE"])
    #expect(stored.value.withBytes { Array($0) } == value)
    #expect(stored.policy == (try policy))
}

@Test("the vault file shows no value, and only its owner may read it")
func sealedAtRest() throws {
    let folder = try filled()
    #expect(try !Data(folder.read("vault.bhv")).contains(value))
    let mode = try FileManager.default.attributesOfItem(atPath: folder.path + "/vault.bhv")[.posixPermissions] as? Int
    #expect(mode == 0o600)
}

@Test("a change of any single byte of the vault file keeps it from opening")
func tamperedAnywhere() throws {
    let folder = try filled()
    let good = try folder.read("vault.bhv")
    for index in good.indices {
        var bad = good
        bad[index] ^= 0x40
        try folder.write("vault.bhv", bad)
        let again = vault(folder)
        again.open()
        #expect(failure(again) != nil, "byte \(index)")
    }
}

@Test("a vault file cut off at any length does not open, except one that is gone")
func truncatedAnywhere() throws {
    let folder = try filled()
    let good = try folder.read("vault.bhv")
    for length in 0 ..< good.count {
        try folder.write("vault.bhv", Array(good[..<length]))
        let again = vault(folder)
        again.open()
        #expect(failure(again)?.kind == .corrupt, "\(length) bytes")
    }
}

@Test("a wrong key leaves the vault locked and its file untouched")
func wrongKey() throws {
    let folder = try filled()
    let before = try folder.read("vault.bhv")
    try folder.write("key", [UInt8](repeating: 8, count: 32))
    let again = vault(folder)
    #expect(again.open() != nil)
    #expect(failure(again)?.kind == .locked)
    #expect(throws: CallError.self) { try again.change { $0.removeAll() } }
    #expect(try folder.read("vault.bhv") == before)
}

@Test("a damaged vault is never overwritten")
func damagedIsKept() throws {
    let folder = try filled()
    var bytes = try folder.read("vault.bhv")
    bytes[bytes.count - 1] ^= 1
    try folder.write("vault.bhv", bytes)
    let again = vault(folder)
    again.open()
    #expect(failure(again)?.kind == .corrupt)
    #expect(throws: CallError.self) { try again.change { $0["TWO"] = nil } }
    #expect(try folder.read("vault.bhv") == bytes)
}

@Test("a passphrase opens the vault, with or without a line break in the key file")
func passphrase() throws {
    let folder = try filled(key: Array("correct horse battery staple\n".utf8))
    let again = vault(folder)
    #expect(again.open(with: SecretBytes(Array("correct horse battery staple".utf8))) == nil)
    #expect(secrets(again)?["ONE"] != nil)
    // A wrong one is refused, and does not close a vault that is open.
    #expect(again.open(with: SecretBytes(Array("wrong horse battery staple".utf8))) != nil)
    #expect(failure(again) == nil && secrets(again)?["ONE"] != nil)
    let closed = vault(folder)
    #expect(closed.open(with: SecretBytes(Array("wrong horse battery staple".utf8))) != nil)
    #expect(failure(closed)?.kind == .locked)
}

@Test("a key file others may read is refused with the command to run")
func wideKeyFile() throws {
    let folder = try filled()
    try folder.write("key", key, mode: 0o644)
    let again = vault(folder)
    let problem = try #require(again.open())
    #expect(problem.contains("chmod 600"))
    #expect(failure(again)?.kind == .locked)
    #expect(failure(again)?.message.contains(folder.path) == false)
}

@Test("a missing key is made in development only, and never beside an existing vault")
func missingKey() throws {
    let fresh = try TemporaryFolder()
    let production = vault(fresh)
    #expect(production.open() != nil)
    let development = vault(fresh, makesKey: true)
    #expect(development.open() == nil)
    #expect(try fresh.read("key").count == 32)
    let folder = try filled()
    try FileManager.default.removeItem(atPath: folder.path + "/key")
    let again = vault(folder, makesKey: true)
    again.open()
    #expect(failure(again)?.kind == .locked)
}

@Test("a change that fails leaves the file and the secrets as they were")
func failedChange() throws {
    struct Stop: Error {}
    let folder = try filled()
    let again = vault(folder)
    again.open()
    let before = try folder.read("vault.bhv")
    #expect(throws: Stop.self) {
        try again.change { secrets in
            secrets = [:]
            throw Stop()
        }
    }
    #expect(secrets(again)?["ONE"] != nil)
    #expect(try folder.read("vault.bhv") == before)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["key", "vault.bhv", "vault.counter"])
}

@Test("a secret's bytes show in no description, dump or interpolation")
func silent() {
    let bytes = SecretBytes(value)
    var dumped = ""
    dump(bytes, to: &dumped)
    for text in ["\(bytes)", String(reflecting: bytes), dumped] { #expect(!text.contains("made-up")) }
}

@Test(
    "values that cannot be sent or found again are not stored",
    arguments: [
        ("short", Preset.bearer, false), ("long-enough", .bearer, true), ("with blank inside", .bearer, false),
        ("line\nbreak-in-it", .header, false),
        ("nul\0in-the-middle", .openai, false), ("user:pass word", .basic, true), ("no-colon-here", .basic, false),
        ("schlüssel-lang", .bearer, false),
    ])
func values(_ text: String, _ preset: Preset, _ isGood: Bool) {
    #expect((StoredSecret.valueProblem(Array(text.utf8), preset: preset) == nil) == isGood)
}
