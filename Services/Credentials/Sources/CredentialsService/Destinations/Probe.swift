import BulkheadConfig

/// The request by which `test` and `rotate` find out whether an upstream takes a secret.
package struct Probe: Sendable, Hashable, Codable {
    /// GET, HEAD, POST, …
    package var method: String
    /// A raw path, without the destination's own.
    package var path: String

    /// A method and a path.
    package init(method: String = "GET", path: String) {
        self.method = method
        self.path = path
    }

    /// Reads `probe` of a destination; nil when it has none, or a wrong one, which has been reported.
    init?(_ section: ConfigSection) {
        guard section.isPresent else { return nil }
        method = section.string("method", default: "GET")
        path = section.requiredString("path")
        if !HeaderSyntax.isMethod(method) || ["TRACE", "CONNECT"].contains(method) {
            section.report("method", found: method, expected: "an HTTP method in capitals such as GET; never TRACE or CONNECT")
        }
        if !path.isEmpty, let problem = TargetSyntax.pathProblem(path) {
            section.report("path", found: path, expected: "a path such as /v1/models; \(problem)")
        }
    }

    /// What needs a secret at the providers known by preset; `/` elsewhere.
    package static func usual(_ preset: Preset) -> Probe {
        switch preset {
        case .openai, .anthropic, .cohere, .mistral: Probe(path: "/v1/models")
        case .gemini: Probe(path: "/v1beta/models")
        default: Probe(path: "/")
        }
    }
}
