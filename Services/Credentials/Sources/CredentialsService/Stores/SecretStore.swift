/// Which of the two stores holds the secrets. Chosen in the configuration; there is no second choice behind it.
package enum StoreKind: String, CaseIterable, Sendable {
    /// A sealed file of this process.
    case vault
    /// The Secret Service of the operating system.
    case keychain
}

/// What a store is at the moment.
package enum StoreState: Sendable {
    /// Why it gives no secrets, and what to do; no path.
    case failed(StoreFailure)
    /// All secrets by name.
    case open([String: StoredSecret])
}

/// Something about a store that an operator should know.
package struct StoreFinding: Sendable, Equatable {
    /// ok | warning | error
    package var level: String
    /// In a few words, without a path or a value.
    package var message: String
}

/// Keeps secrets, each with what was sealed with it. Not on the way of a call: calls use the table made from `state`.
///
/// All but `kind`, `state`, `stale` and `findings` block: off the event loop.
package protocol SecretStore: AnyObject, Sendable {
    /// Which store this is.
    var kind: StoreKind { get }
    /// The present state, of memory: at once.
    var state: StoreState { get }
    /// Why `state` shows what was read before an outage; nil while it is what the store holds.
    var stale: StoreFailure? { get }
    /// Names the present content, for the audit trail; empty when it has no such name.
    var mark: String { get }
    /// For `doctor`: where the key comes from, as whom, and what is not as it should be.
    var findings: [StoreFinding] { get }

    /// Opens the store with what the configuration names.
    /// - Returns: nil when it is open, else what is wrong, with paths: for the log.
    @discardableResult
    func open() -> String?

    /// Opens the store with a key from the operator; nil: with what the configuration names.
    /// - Parameter acceptsOlder: whether content older than what was seen here is taken, as after restoring a backup.
    /// - Returns: nil when it is open, else what is wrong, with paths: for the log.
    @discardableResult
    func unlock(_ material: SecretBytes?, acceptsOlder: Bool) -> String?

    /// Changes the secrets, durably: returns when they are stored. Nothing changes when that fails. One change at a time.
    /// - Throws: what `change` throws; FAILED_PRECONDITION when the store is not open; INTERNAL when it cannot be written.
    @discardableResult
    func change<Value: Sendable>(_ change: (inout [String: StoredSecret]) throws -> Value) throws -> Value

    /// Looks whether the store is as `state` says, and brings that up to date.
    /// - Returns: whether calls must see something new.
    func check() -> Bool

    /// Lets go of what it holds.
    func close()
}

extension SecretStore {
    package var mark: String { "" }

    /// Secrets a store holds at most.
    package static var maxSecrets: Int { 1024 }
}
