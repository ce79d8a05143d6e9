import BulkheadConfig
import BulkheadCore

/// Which services the rest of the configuration makes callers of a destination: the router of what a provider refers to, the
/// retrieval service of its embedder's and reranker's, telemetry of its exporter's and pager's. This is the one place where
/// the service looks beyond its own section. Only the names are read; what is wrong with another section is its service's to
/// report.
package struct ProviderReferences: Sendable, Equatable {
    /// Destinations that a provider refers to: when one cannot be used, this service is degraded.
    package private(set) var providers: Set<String> = []
    private var callers: [String: Set<String>] = [:]

    /// Nothing refers to any.
    package init() {}

    /// The services that refer to a destination.
    package func callers(of destination: String) -> Set<String> { callers[destination] ?? [] }

    /// Blocks on the file. Empty when it cannot be read: then this service does not start either.
    package static func read(_ path: String) -> ProviderReferences {
        guard let document = try? ConfigDocument.load(path: path) else { return ProviderReferences() }
        return ProviderReferences(document)
    }

    /// What the sections of a document refer to.
    package init(_ document: ConfigDocument) {
        providers = Set(document.section("router").list("providers").compactMap { $0.optionalString("destination") })
        for name in providers { add(.router, name) }
        let retrieval = document.section("retrieval")
        for part in ["embedder", "reranker"] { add(.retrieval, retrieval.section(part).optionalString("destination")) }
        let telemetry = document.section("telemetry")
        add(.telemetry, telemetry.section("otlp_export").optionalString("destination"))
        add(.telemetry, telemetry.section("alerts").optionalString("webhook_destination"))
    }

    private mutating func add(_ service: ServiceName, _ destination: String?) {
        guard let destination else { return }
        callers[destination, default: []].insert(service.rawValue)
    }
}

/// Names of destinations that providers refer to.
extension ProviderReferences: ExpressibleByArrayLiteral {
    package init(arrayLiteral names: String...) {
        providers = Set(names)
        for name in names { add(.router, name) }
    }
}

extension DestinationConfiguration {
    /// The services that may call it: those it lists, and those that refer to it.
    package func callers(with references: ProviderReferences) -> Set<String> {
        (callers ?? []).union(references.callers(of: name))
    }
}
