import BulkheadConfig

/// Which request headers of a caller pass, besides what never does (credentials, framing).
package enum RequestHeaderRule: Sendable, Hashable, Codable {
    /// All but those that make some servers see another method, path or origin.
    case ordinary
    /// These, lower-case and sorted, and `basics`.
    case listed([String])

    /// What every request may say of itself.
    package static let basics: Set<String> = [
        "accept", "accept-language", "content-type", "content-encoding", "content-language", "user-agent", "idempotency-key",
        "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range", "traceparent", "tracestate",
    ]

    /// Reads `headers` of a destination.
    init(_ section: ConfigSection) {
        let names = section.strings("allow", default: [])
        guard section.contains("allow") else {
            self = .ordinary
            return
        }
        for name in names where !HeaderSyntax.isName(name) || HeaderHygiene.neverPasses(name.lowercased()) {
            section.report(
                "allow", found: name,
                expected: "names of request headers; credentials and headers of the connection never pass")
        }
        self = .listed(Set(names.map { $0.lowercased() }).sorted())
    }

    /// The listed names; nil when ordinary headers pass.
    var names: Set<String>? {
        if case .listed(let names) = self { return Set(names) }
        return nil
    }

    /// Whether `other` lets through nothing that this does not.
    package func covers(_ other: RequestHeaderRule) -> Bool {
        switch (self, other) {
        case (.ordinary, .ordinary): true
        case (.ordinary, .listed(let asked)): !asked.contains(where: HeaderHygiene.isMisleading)
        case (.listed, .ordinary): false
        case (.listed(let sealed), .listed(let asked)): Set(asked).isSubset(of: Self.basics.union(sealed))
        }
    }

    /// For people.
    package var description: String {
        switch self {
        case .ordinary: "all ordinary ones"
        case .listed(let names): names.isEmpty ? "the basic ones" : names.joined(separator: ", ")
        }
    }
}
