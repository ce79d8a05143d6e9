import BulkheadConfig
import BulkheadCore
import Glibc
import Synchronization

/// The store `vault`: one sealed file, opened once, kept open in memory.
///
/// States: locked (no key, a wrong one, or an unusable key file) → open, or corrupt (the file is damaged), or rolled back (an
/// older file took its place: open only after the operator said so). A vault that is not open is never written.
package final class Vault: SecretStore {
    /// As of any store.
    package typealias State = StoreState

    private struct Opened {
        var file: VaultFile
        var keys: VaultKeys
    }

    private let path: String
    private let counterPath: String
    private let key: VaultKeySource
    private let seen: @Sendable ([UInt8]) -> UInt64
    private let opened = Mutex<Result<Opened, VaultFailure>>(.failure(VaultFailure(.locked, "the vault is not open yet")))
    /// Why the counter is not beside the vault as it should be; nil when it is.
    private let counterTrouble = Mutex<String?>(nil)
    /// One change at a time: held over the write, while `opened` is taken only for the exchange.
    private let writing = Mutex<Void>(())

    /// - Parameters:
    ///   - path: the sealed file; `vault.counter` stands beside it.
    ///   - key: where the key is.
    ///   - seen: the highest counter that is on record elsewhere for a vault's id; 0: none.
    package init(path: String, key: VaultKeySource, seen: @escaping @Sendable ([UInt8]) -> UInt64 = { _ in 0 }) {
        self.path = path
        self.key = key
        self.seen = seen
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        counterPath = folder + "/vault.counter"
    }

    package var kind: StoreKind { .vault }

    package var state: State {
        opened.withLock {
            switch $0 {
            case .success(let opened): .open(opened.file.items)
            case .failure(let failure): .failed(failure)
            }
        }
    }

    package var stale: StoreFailure? { nil }

    package var mark: String {
        opened.withLock {
            guard case .success(let opened) = $0 else { return "" }
            return CounterTrail.mark(id: opened.file.id, counter: opened.file.counter)
        }
    }

    package var findings: [StoreFinding] {
        var found = [StoreFinding(level: "ok", message: "key from \(key.origin), as uid \(getuid())")]
        let now = opened.withLock { $0 }
        switch now {
        case .success(let opened):
            found.append(
                StoreFinding(
                    level: "ok",
                    message:
                        "open, \(opened.file.items.count) secrets, change \(opened.file.counter), version \(opened.file.version)")
            )
        case .failure(let failure): found.append(StoreFinding(level: "error", message: failure.message))
        }
        if let trouble = counterTrouble.withLock({ $0 }) {
            found.append(
                StoreFinding(level: "warning", message: "vault.counter, which tells an older vault, cannot be kept: \(trouble)"))
        }
        return found
    }

    // MARK: opening

    @discardableResult
    package func open() -> String? { unlock(nil, acceptsOlder: false) }

    /// Opens the vault with a key; a vault that does not exist yet begins with the first secret.
    @discardableResult
    package func open(with material: SecretBytes) -> String? { unlock(material, acceptsOlder: false) }

    @discardableResult
    package func unlock(_ material: SecretBytes?, acceptsOlder: Bool) -> String? {
        writing.withLock { _ in
            do throws(VaultFailure) {
                let (made, isChecked) = try load(try self.material(material), acceptsOlder)
                opened.withLock { $0 = .success(made) }
                if !isChecked { try overtake(made) }
                return nil
            } catch {
                // A wrong key does not close a vault that is open.
                if case .failure = opened.withLock({ $0 }) { fail(error) }
                return "\(error.message) (vault \(path), key \(key.path))"
            }
        }
    }

    package func check() -> Bool { false }

    package func close() { fail(VaultFailure(.locked, "the vault was closed")) }

    /// What the operator gave, else what the key's file holds.
    private func material(_ given: SecretBytes?) throws(VaultFailure) -> SecretBytes {
        if let given { return given }
        do {
            return VaultKeys.material(try keyBytes())
        } catch {
            guard error.isMissing else {
                throw VaultFailure(.locked, "the vault's key file cannot be used: \(error.brief)")
            }
            throw VaultFailure(
                .locked, "the vault is locked: its key file is missing; put it in place, or run bulkhead-credentials unlock")
        }
    }

    private func load(_ material: SecretBytes, _ acceptsOlder: Bool) throws(VaultFailure) -> (Opened, isChecked: Bool) {
        let bytes: [UInt8]
        do {
            bytes = try PrivateFile.read(path, maxBytes: VaultFile.maxBytes)
        } catch {
            guard error.isMissing else {
                throw VaultFailure(.locked, "the vault file cannot be read: \(error.brief)")
            }
            let file = VaultFile.new()
            return (Opened(file: file, keys: try VaultKeys(material, salt: file.salt)), true)
        }
        let (file, keys) = try VaultFile.open(bytes, material: material)
        if let problem = try rollback(file, keys, fileMAC: Array(bytes.suffix(32))) {
            guard acceptsOlder else {
                throw VaultFailure(
                    .rolledBack,
                    "rolled back: the vault file is older than what was seen here: \(problem). Put the newer file back, or, after "
                        + "restoring a backup, take it as it is with bulkhead-credentials unlock --accept-older")
            }
            return (Opened(file: file, keys: keys), false)
        }
        keepCounter(RollbackCounter(id: file.id, counter: file.counter, fileMAC: Array(bytes.suffix(32))), keys)
        return (Opened(file: file, keys: keys), true)
    }

    private func keyBytes() throws(PrivateFile.Failure) -> [UInt8] {
        do {
            return try PrivateFile.read(key.path, maxBytes: VaultKeys.maxPassphrase + 2, isMounted: key.isMounted)
        } catch {
            guard error.isMissing, key.makesKey, !exists(path) else { throw error }
            var source = SystemRandomNumberGenerator()
            let bytes = (0 ..< VaultKeys.rawBytes).map { _ in UInt8.random(in: .min ... .max, using: &source) }
            try PrivateFile.create(key.path, bytes)
            return bytes
        }
    }

    private func exists(_ path: String) -> Bool {
        do {
            _ = try PrivateFile.read(path, maxBytes: VaultFile.maxBytes)
            return true
        } catch {
            return !error.isMissing
        }
    }

    private func fail(_ failure: VaultFailure) { opened.withLock { $0 = .failure(failure) } }

    // MARK: rollback

    /// Why the file cannot be the newest; nil when it can.
    private func rollback(_ file: VaultFile, _ keys: VaultKeys, fileMAC: [UInt8]) throws(VaultFailure) -> String? {
        do {
            let bytes = try PrivateFile.read(counterPath, maxBytes: 4096)
            guard let known = RollbackCounter.read(bytes, keys.counter) else {
                return "vault.counter, which says so, is damaged or of another key"
            }
            if let problem = known.problem(file, fileMAC: fileMAC) { return problem }
        } catch {
            // The first start of this version, a new machine, or removed: the audit trail still knows.
            guard error.isMissing else { throw VaultFailure(.locked, "vault.counter cannot be read: \(error.brief)") }
        }
        let recorded = seen(file.id)
        return file.counter < recorded
            ? "it is at change \(file.counter), and change \(recorded) is in the audit trail" : nil
    }

    /// Writes an accepted older vault as the newest of all.
    private func overtake(_ accepted: Opened) throws(VaultFailure) {
        var next = accepted
        var known: UInt64 = 0
        if let bytes = try? PrivateFile.read(counterPath, maxBytes: 4096) {
            known = RollbackCounter.read(bytes, accepted.keys.counter)?.counter ?? 0
        }
        next.file.counter = max(next.file.counter, known, seen(next.file.id)) + 1
        do {
            try write(next)
        } catch {
            throw VaultFailure(.locked, "the vault could not be written: \(error)")
        }
        opened.withLock { $0 = .success(next) }
    }

    /// Without it, the next start relies on the audit trail: told by `doctor`, and tried again with the next change.
    private func keepCounter(_ counter: RollbackCounter, _ keys: VaultKeys) {
        do {
            try PrivateFile.replace(counterPath, with: counter.encoded(keys.counter))
            counterTrouble.withLock { $0 = nil }
        } catch {
            counterTrouble.withLock { $0 = error.brief }
        }
    }

    // MARK: changes

    @discardableResult
    package func change<Value: Sendable>(_ change: (inout [String: StoredSecret]) throws -> Value) throws -> Value {
        try writing.withLock { _ in
            var next: Opened
            switch opened.withLock({ $0 }) {
            case .success(let opened): next = opened
            case .failure(let failure): throw failure.callError
            }
            let value = try change(&next.file.items)
            try StoreFailure.check(next.file.items, .vault)
            next.file.counter += 1
            do {
                try write(next)
            } catch {
                throw StoreFailure.notWritten(.vault, "\(error)")
            }
            next.file.version = VaultFile.version
            opened.withLock { $0 = .success(next) }
            return value
        }
    }

    private func write(_ opened: Opened) throws {
        let bytes = try opened.file.sealed(with: opened.keys)
        try PrivateFile.replace(path, with: bytes)
        let counter = RollbackCounter(id: opened.file.id, counter: opened.file.counter, fileMAC: Array(bytes.suffix(32)))
        keepCounter(counter, opened.keys)
    }
}

/// As of any store.
package typealias VaultFailure = StoreFailure
