import BulkheadCore

/// Why a store gives no secrets.
package struct StoreFailure: Error, Sendable, Equatable {
    /// What kind of obstacle.
    package enum Kind: String, Sendable {
        /// No key, or not the right one; a keyring that nobody unlocked.
        case locked
        /// The content is damaged, or no store.
        case corrupt
        /// Older content than was seen here took its place.
        case rolledBack
        /// Nobody answers where the store should be.
        case unavailable
    }

    /// Which store.
    package var store: StoreKind
    /// What kind of obstacle.
    package var kind: Kind
    /// What is wrong and what to do, for people; no path.
    package var message: String

    init(_ kind: Kind, _ message: String, store: StoreKind = .vault) {
        self.store = store
        self.kind = kind
        self.message = message
    }

    /// The stable word for it: `vault_locked`, `vault_corrupt`, `keychain_locked`, `keychain_unavailable`.
    package var reason: String {
        switch (store, kind) {
        case (.vault, .locked): "vault_locked"
        case (.vault, _): "vault_corrupt"
        case (.keychain, .locked): "keychain_locked"
        case (.keychain, _): "keychain_unavailable"
        }
    }

    /// As callers see it.
    package var callError: CallError {
        CallError(.failedPrecondition, reason: reason, message: message, notProcessed: true)
    }

    /// Content that cannot be stored.
    static func notWritten(_ store: StoreKind, _ why: String) -> CallError {
        CallError(
            .internal, reason: "\(store.rawValue)_write",
            message: "the \(store.rawValue) could not be written, nothing was changed: \(why)")
    }

    /// Names and number of what is to be stored.
    static func check(_ secrets: [String: StoredSecret], _ store: StoreKind) throws(CallError) {
        guard secrets.count <= Vault.maxSecrets else {
            throw CallError(
                .resourceExhausted, message: "the \(store.rawValue) holds \(Vault.maxSecrets) secrets; delete some first")
        }
        for (name, secret) in secrets {
            guard StoredSecret.isName(name) else {
                throw CallError(.invalidArgument, message: "that is no name of a secret; nothing was stored")
            }
            guard secret.value.count <= StoredSecret.maxValue else {
                throw CallError(.invalidArgument, message: "the value of \(name) is longer than 64 KiB; nothing was stored")
            }
        }
    }
}
