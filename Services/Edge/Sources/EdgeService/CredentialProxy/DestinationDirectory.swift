import BulkheadConfig
import BulkheadCore
import Synchronization

/// What the configuration says of one destination, as far as it concerns who calls it. Names only: no value of a secret is
/// here or anywhere in this process.
package struct DestinationEntry: Sendable, Equatable {
    package var name: String
    /// Scheme, host, port and the path that precedes every call's; a password in it is masked.
    package var baseURL: String
    /// The name of the secret; empty: nothing is injected.
    package var secret: String
    package var preset: String
    /// Empty: all.
    package var methods: [String]
    /// Empty: all.
    package var paths: [String]
    /// Edge stands among the services that may call it.
    package var isForEdge: Bool

    /// An entry of its parts.
    package init(
        name: String, baseURL: String, secret: String, preset: String, methods: [String], paths: [String], isForEdge: Bool
    ) {
        self.name = name
        self.baseURL = baseURL
        self.secret = secret
        self.preset = preset
        self.methods = methods
        self.paths = paths
        self.isForEdge = isForEdge
    }
}

/// The destinations of the configuration. This is the one place where edge looks beyond its own section: which names exist, and
/// what clients may be told of them. What is wrong there is the credentials service's to report, and what is sealed with a
/// secret its alone to know: it has the last word on every call.
package final class DestinationDirectory: Sendable {
    /// By name, in file order.
    private let entries: Mutex<[DestinationEntry]>

    /// A directory of these.
    package init(_ entries: [DestinationEntry]) { self.entries = Mutex(entries) }

    /// All, in file order.
    package var all: [DestinationEntry] { entries.withLock { $0 } }

    /// Whether the configuration has a destination of this name.
    package func knows(_ name: String) -> Bool { entries.withLock { $0.contains { $0.name == name } } }

    func replace(_ next: [DestinationEntry]) { entries.withLock { $0 = next } }

    /// Blocks on the file. Empty when it cannot be read: then this service does not start either.
    package static func read(_ path: String) -> [DestinationEntry] {
        guard let document = try? ConfigDocument.load(path: path) else { return [] }
        return document.section("credentials").map("destinations").map(entry)
    }

    private static func entry(_ name: String, _ section: ConfigSection) -> DestinationEntry {
        let secret = section.optionalString("secret") ?? ""
        return DestinationEntry(
            name: name, baseURL: section.url("base_url", schemes: ["https", "http"])?.description ?? "", secret: secret,
            preset: secret.isEmpty ? "" : section.string("preset", default: "bearer"),
            methods: section.strings("methods", default: []), paths: section.strings("paths", default: []),
            isForEdge: section.strings("callers", default: []).contains(ServiceName.edge.rawValue))
    }
}

extension DestinationDirectory {
    /// Decides whether a key may call a destination, before the credentials service is asked. A name that the key has is asked
    /// for even when it is not known here: the other process may have read a newer file.
    /// - Throws: `EdgeError` 403 or 404.
    package func check(_ name: String, allowed: [String]) throws(EdgeError) {
        if allowed.contains(name) { return }
        guard knows(name) else { throw Self.unknown(name) }
        throw EdgeError(
            .forbidden, code: "destination_not_allowed",
            message:
                "The API key may not call the destination \(name). `bulkhead-session keys create --destinations \(name)` makes one that may."
        )
    }

    /// What a failure of the call means for the client.
    func translate(_ error: any Error, _ name: String, _ exchange: Exchange) -> any Error {
        let failure = exchange.translate(error, from: .credentials)
        guard let told = failure as? EdgeError, told.code == "destination_unknown" else { return failure }
        guard knows(name) else { return Self.unknown(name) }
        return EdgeError(
            .forbidden, code: "destination_denied",
            message:
                "The destination \(name) is not for applications. An operator finds out why with bulkhead-credentials audit tail: "
                + "its `callers` may not name edge.")
    }

    private static func unknown(_ name: String) -> EdgeError {
        EdgeError(
            .notFound, code: "destination_unknown",
            message: "There is no destination \(FoundValue.name(name)). GET /v1/call lists those this API key may call.")
    }
}
