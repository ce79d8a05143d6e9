import BulkheadConfig
import BulkheadCore
import Synchronization

/// The store of secrets: one sealed file, opened once, kept open in memory.
///
/// States: locked (no key, a wrong one, or an unusable key file) → open, or corrupt (the file is damaged). A vault that is
/// not open is never written. `open` and `change` block: off the event loop.
package final class Vault: Sendable {
    /// What the vault is at the moment.
    package enum State: Sendable {
        /// Why, and what to do; no path.
        case failed(VaultFailure)
        /// All secrets by name.
        case open([String: StoredSecret])
    }

    private struct Opened {
        var file: VaultFile
        var keys: VaultKeys
    }

    private let path: String
    private let keyPath: String
    private let makesKey: Bool
    private let opened = Mutex<Result<Opened, VaultFailure>>(.failure(VaultFailure(.locked, "the vault is not open yet")))
    /// One change at a time: held over the write, while `opened` is taken only for the exchange.
    private let writing = Mutex<Void>(())

    /// - Parameters:
    ///   - path: the sealed file.
    ///   - keyPath: the file with the key.
    ///   - makesKey: whether a missing key is made when there is no vault yet (development).
    package init(path: String, keyPath: String, makesKey: Bool) {
        self.path = path
        self.keyPath = keyPath
        self.makesKey = makesKey
    }

    /// The present state.
    package var state: State {
        opened.withLock {
            switch $0 {
            case .success(let opened): .open(opened.file.items)
            case .failure(let failure): .failed(failure)
            }
        }
    }

    /// Opens the vault with the key of the key file.
    /// - Returns: nil when it is open, else what is wrong, with paths: for the log.
    @discardableResult
    package func open() -> String? {
        do {
            return open(with: VaultKeys.material(try keyBytes()))
        } catch {
            if error.isMissing {
                fail(
                    VaultFailure(
                        .locked,
                        "the vault is locked: its key file is missing; put it in place, or run bulkhead-credentials unlock"))
            } else {
                fail(VaultFailure(.locked, "the vault's key file cannot be used: \(error.brief)"))
            }
            return error.description
        }
    }

    /// Opens the vault with a key; a vault that does not exist yet begins with the first secret.
    /// - Returns: nil when it is open, else what is wrong, with paths.
    @discardableResult
    package func open(with material: SecretBytes) -> String? {
        writing.withLock { _ in
            do throws(VaultFailure) {
                let made = try load(material)
                opened.withLock { $0 = .success(made) }
                return nil
            } catch {
                // A wrong key does not close a vault that is open.
                if case .failure = opened.withLock({ $0 }) { fail(error) }
                return "\(error.message) (\(path))"
            }
        }
    }

    /// Changes the secrets and writes them; nothing changes when that fails.
    /// - Throws: what `change` throws, FAILED_PRECONDITION when the vault is not open, INTERNAL when it cannot be written.
    package func change<Value: Sendable>(_ change: (inout [String: StoredSecret]) throws -> Value) throws -> Value {
        try writing.withLock { _ in
            var next: Opened
            switch opened.withLock({ $0 }) {
            case .success(let opened): next = opened
            case .failure(let failure): throw failure.callError
            }
            let value = try change(&next.file.items)
            guard next.file.items.count <= VaultFile.maxItems else {
                throw CallError(.resourceExhausted, message: "the vault holds \(VaultFile.maxItems) secrets; delete some first")
            }
            next.file.counter += 1
            do {
                try PrivateFile.replace(path, with: try next.file.sealed(with: next.keys))
            } catch {
                throw CallError(
                    .internal, reason: "vault_write", message: "the vault could not be written, nothing was changed: \(error)")
            }
            opened.withLock { $0 = .success(next) }
            return value
        }
    }

    private func load(_ material: SecretBytes) throws(VaultFailure) -> Opened {
        do {
            let (file, keys) = try VaultFile.open(try PrivateFile.read(path, maxBytes: VaultFile.maxBytes), material: material)
            return Opened(file: file, keys: keys)
        } catch let failure as VaultFailure {
            throw failure
        } catch let failure as PrivateFile.Failure where failure.isMissing {
            let file = VaultFile.new()
            return Opened(file: file, keys: try VaultKeys(material, salt: file.salt))
        } catch {
            throw VaultFailure(
                .locked, "the vault file cannot be read: \((error as? PrivateFile.Failure)?.brief ?? "unknown reason")")
        }
    }

    private func keyBytes() throws(PrivateFile.Failure) -> [UInt8] {
        do {
            return try PrivateFile.read(keyPath, maxBytes: VaultKeys.maxPassphrase + 2)
        } catch {
            guard error.isMissing, makesKey, !exists(path) else { throw error }
            var source = SystemRandomNumberGenerator()
            let key = (0 ..< VaultKeys.rawBytes).map { _ in UInt8.random(in: .min ... .max, using: &source) }
            try PrivateFile.create(keyPath, key)
            return key
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
}

extension VaultFailure {
    /// As callers see it.
    package var callError: CallError {
        CallError(
            .failedPrecondition, reason: kind == .locked ? "vault_locked" : "vault_corrupt", message: message, notProcessed: true)
    }
}
