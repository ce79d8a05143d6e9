import BulkheadCore
import Glibc
import Synchronization

/// The store `keychain`: one item for each secret in a collection of the Secret Service.
///
/// States: open (what was read last is what the keyring holds) → stale (the keyring is down; what was read last is used for
/// `maxStale`) → failed; from both back to open as soon as the keyring serves. It serves when its collection is unlocked and
/// a test item comes back: only then does "nothing found" mean that nothing is stored.
package final class Keychain: SecretStore {
    private struct Held {
        /// What was read last; nil before the first time.
        var secrets: [String: StoredSecret]?
        var readAt = MonotonicTime.now()
        /// Why it cannot be read now, and since when.
        var down: (failure: StoreFailure, since: MonotonicTime)?
        /// Names whose items cannot be used.
        var damaged: [String] = []
    }

    private struct Shown: Equatable {
        var isStale: Bool
        var failure: StoreFailure?
    }

    /// A look at the keyring: a fault is found within this and the time between two looks.
    private static let lookLimit = Duration.milliseconds(1000)
    /// Reading or writing items.
    private static let workLimit = Duration.seconds(2)

    private let configuration: KeychainConfiguration
    private let address: String?
    private let thread = KeychainThread()
    private let held: Mutex<Held>
    /// What the last look came to.
    private let shown = Mutex(Shown(isStale: false, failure: nil))
    /// One piece of work at a time; the connection belongs to it.
    private let connection = Mutex<SecretServiceConnection?>(nil)

    /// A keychain on the bus of the configuration, else of `DBUS_SESSION_BUS_ADDRESS`.
    package init(_ configuration: KeychainConfiguration) {
        self.configuration = configuration
        address = configuration.bus ?? getenv("DBUS_SESSION_BUS_ADDRESS").map { String(cString: $0) }
        let failure = StoreFailure(.unavailable, "the keychain is not open yet", store: .keychain)
        held = Mutex(Held(down: (failure, .now())))
    }

    package var kind: StoreKind { .keychain }

    package var state: StoreState {
        held.withLock { held in
            guard let down = held.down else { return .open(held.secrets ?? [:]) }
            guard let secrets = held.secrets, MonotonicTime.now() - down.since < configuration.maxStale else {
                return .failed(down.failure)
            }
            return .open(secrets)
        }
    }

    package var stale: StoreFailure? {
        if case .failed = state { return nil }
        return held.withLock { $0.down?.failure }
    }

    package var findings: [StoreFinding] {
        let (down, damaged) = held.withLock { ($0.down, $0.damaged) }
        let bus = address ?? "none (neither credentials.keychain.bus nor DBUS_SESSION_BUS_ADDRESS)"
        var found = [
            StoreFinding(level: "ok", message: "bus \(bus), collection \(configuration.collection), as uid \(getuid())")
        ]
        if let down {
            let seconds = Int((MonotonicTime.now() - down.since).milliseconds / 1000)
            found.append(StoreFinding(level: "error", message: "since \(seconds) s: \(down.failure.message)"))
        } else {
            found.append(StoreFinding(level: "ok", message: "unlocked, the test item comes back"))
        }
        for name in damaged {
            found.append(
                StoreFinding(
                    level: "error",
                    message: "the item \(name) is damaged, or was not put there by this program: set it again"))
        }
        return found
    }

    // MARK: life

    @discardableResult
    package func open() -> String? {
        _ = check()
        return held.withLock { $0.down.map { $0.failure.message } }
    }

    @discardableResult
    package func unlock(_ material: SecretBytes?, acceptsOlder: Bool) -> String? {
        guard let problem = open() else { return nil }
        return material == nil ? problem : "\(problem); the keyring takes its password from its own daemon only"
    }

    package func check() -> Bool {
        let isChanged = connection.withLock { connection -> Bool in
            do throws(KeychainTrouble) {
                return try look(&connection)
            } catch {
                // A connection that was in trouble is not used again.
                connection = nil
                fail(error)
                return false
            }
        }
        // An outage also becomes too old between two looks: compared is what calls were given last.
        let now = Shown(isStale: stale != nil, failure: failure)
        let before = shown.withLock { shown in
            defer { shown = now }
            return shown
        }
        return isChanged || before != now
    }

    package func close() {
        connection.withLock { $0 = nil }
        thread.stop()
    }

    private var failure: StoreFailure? {
        if case .failed(let failure) = state { return failure }
        return nil
    }

    /// - Returns: whether other secrets are there than before.
    private func look(_ connection: inout SecretServiceConnection?) throws(KeychainTrouble) -> Bool {
        let (known, isDue) = held.withLock { held in
            (held.secrets, held.down != nil || MonotonicTime.now() - held.readAt >= configuration.cacheTTL)
        }
        let link: SecretServiceConnection
        let path = configuration.collectionPath
        if let present = connection {
            link = present
            try thread.run(within: Self.lookLimit) { cancellable throws(KeychainTrouble) in
                try link.checkSentinel(try link.readyCollection(path, cancellable), cancellable)
            }
        } else {
            link = try connect()
            connection = link
        }
        guard isDue || known == nil else { return false }
        let items = try thread.run(within: Self.workLimit) { cancellable throws(KeychainTrouble) in
            try link.load(try link.readyCollection(path, cancellable), cancellable)
        }
        return take(items)
    }

    private func connect() throws(KeychainTrouble) -> SecretServiceConnection {
        guard let address else { throw .noBus("no address is set") }
        let path = configuration.collectionPath
        return try thread.run(within: Self.lookLimit) { cancellable throws(KeychainTrouble) in
            let link = try SecretServiceConnection(address, cancellable)
            try link.proveSentinel(try link.readyCollection(path, cancellable), cancellable)
            return link
        }
    }

    private func take(_ items: [SecretServiceConnection.Item]) -> Bool {
        let counts = Dictionary(items.map { ($0.name, 1) }, uniquingKeysWith: +)
        var secrets: [String: StoredSecret] = [:]
        var damaged: Set<String> = []
        for item in items {
            // Two items of one name: nobody can tell which is meant.
            if let secret = item.secret, counts[item.name] == 1 { secrets[item.name] = secret } else { damaged.insert(item.name) }
        }
        return held.withLock { held in
            let before = held.secrets ?? [:]
            let isSame =
                held.secrets != nil && before.count == secrets.count
                && secrets.allSatisfy { before[$0.key]?.isSame(as: $0.value) == true }
            held = Held(secrets: isSame ? before : secrets, damaged: damaged.sorted())
            return !isSame
        }
    }

    private func fail(_ trouble: KeychainTrouble) {
        held.withLock { held in
            let wasThere = held.secrets != nil
            held.down = (trouble.failure(wasThere: wasThere), held.down?.since ?? .now())
        }
    }

    // MARK: changes

    @discardableResult
    package func change<Value: Sendable>(_ change: (inout [String: StoredSecret]) throws -> Value) throws -> Value {
        try connection.withLock { connection in
            let (secrets, down) = held.withLock { ($0.secrets, $0.down) }
            if let down { throw down.failure.callError }
            guard let link = connection, let before = secrets else {
                throw KeychainTrouble.noOwner.failure(wasThere: true).callError
            }
            var next = before
            let value = try change(&next)
            try StoreFailure.check(next, .keychain)
            try write(next, over: before, link)
            held.withLock { $0.secrets = next }
            return value
        }
    }

    /// Each item is replaced as a whole. When one cannot be, those before it are put back.
    private func write(
        _ next: [String: StoredSecret], over before: [String: StoredSecret], _ link: SecretServiceConnection
    ) throws {
        let names = Set(next.keys).union(before.keys).sorted()
        var done: [String] = []
        for name in names {
            if let new = next[name], let old = before[name], new.isSame(as: old) { continue }
            do {
                try put(next[name], named: name, link)
                done.append(name)
            } catch {
                for name in done.reversed() { try? put(before[name], named: name, link) }
                let trouble = error as? KeychainTrouble ?? .other("the value could not be encoded")
                fail(trouble)
                throw StoreFailure.notWritten(.keychain, trouble.failure(wasThere: true).message)
            }
        }
    }

    private func put(_ secret: StoredSecret?, named name: String, _ link: SecretServiceConnection) throws {
        let path = configuration.collectionPath
        guard let secret else {
            return try thread.run(within: Self.workLimit) { cancellable throws(KeychainTrouble) in
                _ = try link.readyCollection(path, cancellable)
                try link.remove(name, cancellable)
            }
        }
        // Encoded on the thread: work that was given up may still read it.
        try thread.run(within: Self.workLimit) { cancellable throws(KeychainTrouble) in
            let path = try link.readyCollection(path, cancellable)
            do {
                try SecretBlob.withBytes(of: secret, named: name) { try link.store($0, named: name, path, cancellable) }
            } catch let trouble as KeychainTrouble {
                throw trouble
            } catch {
                throw .other("the secret could not be encoded")
            }
        }
    }
}

extension KeychainTrouble {
    /// What it means and what to do.
    /// - Parameter wasThere: whether the keyring has served before.
    func failure(wasThere: Bool) -> StoreFailure {
        func failure(_ kind: StoreFailure.Kind, _ text: String) -> StoreFailure { StoreFailure(kind, text, store: .keychain) }
        switch self {
        case .noBus(let reason):
            return failure(
                .unavailable,
                "the keychain is absent: no D-Bus answers at credentials.keychain.bus (or DBUS_SESSION_BUS_ADDRESS): start it (\(reason))"
            )
        case .noOwner where wasThere:
            return failure(
                .unavailable, "the keyring daemon is gone (it ended or crashed): start gnome-keyring-daemon --unlock again")
        case .noOwner:
            return failure(
                .unavailable,
                "the keychain is absent: nobody on the bus is org.freedesktop.secrets: start gnome-keyring-daemon --unlock there")
        case .mute:
            return failure(.unavailable, "the keyring daemon does not answer (it hangs or is stopped): restart it")
        case .locked:
            return failure(
                .locked,
                "the keychain is locked: unlock it, or restart gnome-keyring-daemon --unlock; if that was just done, its password was "
                    + "wrong (a line break at its end counts)")
        case .noCollection:
            return failure(
                .locked, "the keychain has no such collection yet: start gnome-keyring-daemon with --unlock and a password")
        case .other(let reason): return failure(.unavailable, "the keychain cannot be used: \(reason)")
        }
    }
}
