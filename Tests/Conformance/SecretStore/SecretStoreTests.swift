import BulkheadCore
import CredentialsService
import Dispatch
import Testing

// What holds for every store of secrets, whatever it stands on.

private struct Stop: Error {}

private func secret(_ value: String, host: String = "api.example.com") throws -> StoredSecret {
    let policy = SecretPolicy(host: try #require(SealedHost(host)), preset: .bearer, created: 5)
    return StoredSecret(policy: policy, value: SecretBytes(Array(value.utf8)))
}

private func secrets(_ store: any SecretStore) -> [String: StoredSecret] {
    if case .open(let secrets) = store.state { return secrets }
    return [:]
}

private func failure(_ store: any SecretStore) -> StoreFailure? {
    if case .failed(let failure) = store.state { return failure }
    return nil
}

private func text(_ secret: StoredSecret?) -> String? {
    secret.map { $0.value.withBytes { String(decoding: $0, as: UTF8.self) } }
}

@Suite(.serialized) struct SecretStoreTests {
    @Test("what was stored is there after reopening: value, policy, versions, former values", arguments: StoreKind.allCases)
    func reopened(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        var made = try secret("the-first-value\0\u{ff}", host: "[::1]:9000")
        made.promote(SecretBytes(Array("the-second-value".utf8)), now: 1000, overlap: 500)
        made.life.imported = ImportMark([1, 2, 3])
        made.life.isHoneytoken = true
        let kept = made
        try it.open().change { $0["ONE"] = kept }
        let found = try #require(secrets(it.open())["ONE"])
        #expect(text(found) == "the-second-value" && found.policy == kept.policy && found.life == kept.life)
        #expect(found.former.map(\.version) == [1] && found.former.map(\.until) == [1500])
        #expect(found.former.first?.value.withBytes { Array($0) } == Array("the-first-value\0\u{ff}".utf8))
    }

    @Test("a new store is open and empty; what is removed is gone", arguments: StoreKind.allCases)
    func removed(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        let store = it.open()
        #expect(failure(store) == nil && secrets(store).isEmpty)
        let one = try secret("a-value-to-be-removed")
        try store.change { $0["ONE"] = one }
        try store.change { $0["ONE"] = nil }
        #expect(secrets(store).isEmpty && secrets(it.open()).isEmpty)
    }

    @Test("a change that throws, or that the store cannot write, leaves everything as it was", arguments: StoreKind.allCases)
    func failedChange(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        let store = it.open()
        let (one, two) = (try secret("the-value-that-stays"), try secret("the-value-that-fails"))
        try store.change { $0["ONE"] = one }
        #expect(throws: Stop.self) {
            try store.change { secrets in
                secrets = [:]
                throw Stop()
            }
        }
        #expect(text(secrets(store)["ONE"]) == "the-value-that-stays")
        try it.block()
        #expect(throws: CallError.self) { try store.change { $0["ONE"] = two } }
        try it.unblock()
        #expect(text(secrets(it.open())["ONE"]) == "the-value-that-stays")
    }

    @Test("what does not open is locked, says so, takes no change, and opens again as it was", arguments: StoreKind.allCases)
    func locked(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        let one = try secret("a-value-behind-a-lock")
        try it.open().change { $0["ONE"] = one }
        try it.lock()
        let store = it.open()
        #expect(failure(store)?.kind == .locked)
        #expect(failure(store)?.callError.reason == "\(kind.rawValue)_locked")
        #expect(failure(store)?.callError.code == .failedPrecondition)
        #expect(throws: CallError.self) { try store.change { $0.removeAll() } }
        try it.unlock()
        #expect(store.unlock(nil, acceptsOlder: false) == nil)
        #expect(text(secrets(store)["ONE"]) == "a-value-behind-a-lock")
    }

    @Test("what was changed behind the store's back is not used, and is not called locked", arguments: StoreKind.allCases)
    func tampered(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        let one = try secret("a-value-to-tamper-with")
        try it.open().change { $0["ONE"] = one }
        try it.tamper(with: "ONE")
        let store = it.open()
        #expect(secrets(store)["ONE"] == nil)
        #expect(failure(store)?.kind != .locked)
        #expect(store.findings.contains { $0.level == "error" && $0.message.contains("damaged") })
    }

    @Test("changes at the same time all take effect, one after the other", arguments: StoreKind.allCases)
    func concurrent(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        let store = it.open()
        let one = try secret("a-value-with-a-count")
        try store.change { $0["ONE"] = one }
        DispatchQueue.concurrentPerform(iterations: 20) { turn in
            do {
                try store.change { secrets in
                    secrets["ONE"]?.life.latest += 1
                    secrets["N\(turn)"] = one
                }
            } catch {
                Issue.record("a change failed: \(error)")
            }
        }
        let found = secrets(it.open())
        #expect(found["ONE"]?.life.latest == 21 && found.count == 21)
    }

    @Test("names that are none, values that are too long and too many secrets are refused", arguments: StoreKind.allCases)
    func limits(_ kind: StoreKind) throws {
        let it = try StoreUnderTest(kind)
        defer { withExtendedLifetime(it) {} }
        let store = it.open()
        let (one, long) = (try secret("an-ordinary-value"), try secret(String(repeating: "x", count: 64 << 10 + 1)))
        let longest = try secret(String(repeating: "y", count: 64 << 10))
        for name in ["", "lower", "A B", "A\0", "1A", String(repeating: "A", count: 65)] {
            #expect(throws: CallError.self, "\(name)") { try store.change { $0[name] = one } }
        }
        #expect(throws: CallError.self) { try store.change { $0["LONG"] = long } }
        #expect(throws: CallError.self) {
            try store.change { secrets in
                for number in 0 ... 1024 { secrets["N\(number)"] = one }
            }
        }
        #expect(secrets(store).isEmpty)
        try store.change { $0[String(repeating: "A", count: 64)] = longest }
        #expect(secrets(store).count == 1)
    }
}
