import BulkheadAPI
import BulkheadCore
import BulkheadObservability
import Synchronization

/// Whether and how a destination's secret can be used.
package enum SecretUse: Sendable {
    /// The destination has none: nothing is injected.
    case none
    /// Ready for injection.
    case ready(Injection)
    /// It cannot be used: what the caller is told.
    case unusable(CallError)
}

/// A request as it goes out, but for the secret.
package struct UpstreamTarget: Sendable {
    /// GET, POST, …
    package var method: String
    /// `/prefix/path?query`, raw.
    package var text: String
}

/// A destination with its policy and its secret. Made anew when configuration or secrets change; calls keep the one they
/// began with.
package final class Destination: Sendable {
    /// Its entry of the configuration.
    package let configuration: DestinationConfiguration
    /// The services that may call it.
    package let callers: Set<String>
    /// Whether a provider of the router refers to it.
    package let isProvider: Bool
    /// Its secret.
    package let secret: SecretUse
    let metrics: DestinationMetrics
    /// The calls it took lately; nil: they are not limited.
    package let rate: CallRate?
    /// Request headers that pass besides the basic ones; nil: all ordinary ones.
    let allowedHeaders: Set<String>?
    /// Where it is, and how it is reached.
    package let origin: Origin
    private let prefix: String
    /// Paths that were found good, so that they need not be taken apart with every call. Bounded; full, it begins anew.
    private let allowedPaths = Mutex<Set<String>>([])
    private static let maxAllowedPaths = 64
    private static let maxAllowedPath = 256

    /// A destination in force.
    /// - Parameters:
    ///   - callers: the services that may call it; nil: as its entry says.
    ///   - rate: the calls it took before, when it was in force already.
    package init(
        _ configuration: DestinationConfiguration, isProvider: Bool, callers: Set<String>? = nil, secret: SecretUse,
        metrics: DestinationMetrics, rate: CallRate? = nil
    ) {
        self.configuration = configuration
        self.isProvider = isProvider
        self.secret = secret
        self.metrics = metrics
        self.callers = callers ?? configuration.callers ?? (isProvider ? [ServiceName.router.rawValue] : [])
        self.rate = configuration.rate.map { rule in rate.flatMap { $0.rule == rule ? $0 : nil } ?? CallRate(rule) }
        allowedHeaders = configuration.headers.names
        origin = Origin(
            configuration.url, allowsPrivate: configuration.privateNetwork, minimumTLS: configuration.tls.minimum,
            pins: configuration.tls.pins)
        place = configuration.place.description
        prefix = configuration.basePath
    }

    /// Whether its secret is there to be noticed, and not to be used.
    package var isDecoy: Bool {
        if case .unusable(let error) = secret { return error.reason == "honeytoken" }
        return false
    }

    /// Host and port, for messages.
    package let place: String

    /// Decides whether `peer` may make this request.
    /// - Throws: NOT_FOUND `destination_unknown` as if it did not exist when it is not the peer's to call; PERMISSION_DENIED
    ///   `destination_denied`, INVALID_ARGUMENT `invalid_request`.
    package func target(of request: CredentialsAPI.CallRequest, peer: String) throws(CallError) -> UpstreamTarget {
        guard callers.contains(peer) else { throw DestinationTable.unknown(configuration.name) }
        let method = request.method ?? "GET"
        guard HeaderSyntax.isMethod(method) else { throw invalid("the method is no HTTP method in capitals") }
        let allowsMethod = configuration.methods?.contains(method) ?? !["TRACE", "CONNECT"].contains(method)
        guard allowsMethod else { throw denied("does not allow the method \(method)") }
        let path = request.path ?? "/"
        // Strings are equal that look equal, paths are not: a Kelvin sign must not pass for a K that was found good.
        let isKnown = path.utf8.allSatisfy { $0 < 0x80 } && allowedPaths.withLock { $0.contains(path) }
        if !isKnown { try allow(path) }
        var target = prefix + path
        if let text = request.query, !text.isEmpty {
            guard let clean = TargetSyntax.query(text) else {
                throw invalid("the query holds characters that have to be percent-encoded")
            }
            target += "?" + clean
        }
        return UpstreamTarget(method: method, text: target)
    }

    private func allow(_ path: String) throws(CallError) {
        if let problem = TargetSyntax.pathProblem(path) { throw invalid(problem) }
        if let paths = configuration.paths, !paths.contains(where: { $0.matches(path) }) {
            throw denied("does not allow this path")
        }
        allowedPaths.withLock { paths in
            if paths.count >= Self.maxAllowedPaths { paths.removeAll(keepingCapacity: true) }
            if path.utf8.count <= Self.maxAllowedPath { paths.insert(path) }
        }
    }

    private func denied(_ what: String) -> CallError {
        CallError(
            .permissionDenied, reason: "destination_denied", message: "destination \(configuration.name) \(what)",
            notProcessed: true)
    }

    private func invalid(_ what: String) -> CallError {
        CallError(.invalidArgument, reason: "invalid_request", message: what, notProcessed: true)
    }
}
