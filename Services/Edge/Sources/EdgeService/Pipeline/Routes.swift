/// What edge serves.
package enum Endpoint: String, Sendable, CaseIterable {
    /// Model routes.
    case chat = "/v1/chat/completions"
    case messages = "/v1/messages"
    case embeddings = "/v1/embeddings"
    case models = "/v1/models"
    case model = "/v1/models/{id}"
    /// Operators' routes.
    case health = "/health"
    case ready = "/ready"
    case metrics = "/metrics"

    /// The methods it answers, as `Allow` has them.
    var allow: String { isPost ? "POST" : "GET, HEAD" }

    var isPost: Bool {
        switch self {
        case .chat, .messages, .embeddings: true
        case .models, .model, .health, .ready, .metrics: false
        }
    }

    /// For the verb `routes`.
    var summary: String {
        switch self {
        case .chat: "OpenAI chat, whole or as a stream"
        case .messages: "Anthropic Messages, whole or as a stream"
        case .embeddings: "OpenAI embeddings"
        case .models: "the models, in Anthropic's shape when anthropic-version is sent"
        case .model: "one model"
        case .health: "liveness, from memory (also /livez, /healthz)"
        case .ready: "readiness of every part (also /readyz)"
        case .metrics: "Prometheus metrics of the whole suite"
        }
    }
}

/// A request's target, matched.
package struct RouteMatch: Sendable, Equatable {
    /// The route.
    package var endpoint: Endpoint
    /// What stands in the route's `{…}`, decoded.
    package var argument = ""

    /// A match.
    package init(endpoint: Endpoint, argument: String = "") {
        self.endpoint = endpoint
        self.argument = argument
    }
}

/// Finds what a path names.
package enum Routes {
    private static let aliases: [String: Endpoint] = [
        "/livez": .health, "/healthz": .health, "/readyz": .ready,
    ]
    private static let exact: [String: Endpoint] = {
        let all = Endpoint.allCases.filter { $0 != .model }.map { ($0.rawValue, $0) }
        return Dictionary(uniqueKeysWithValues: all).merging(aliases) { own, _ in own }
    }()
    private static let modelPrefix = "/v1/models/"

    /// - Parameter path: without the query. One trailing slash is accepted. Names of models may hold slashes, raw or escaped.
    package static func match(_ path: Substring) -> RouteMatch? {
        let path = path.count > 1 && path.last == "/" ? path.dropLast() : path
        if let endpoint = exact[String(path)] { return RouteMatch(endpoint: endpoint) }
        guard path.hasPrefix(modelPrefix), let name = percentDecoded(path.dropFirst(modelPrefix.count)), !name.isEmpty else {
            return nil
        }
        return RouteMatch(endpoint: .model, argument: name)
    }

    /// The path of a request's target, without its query.
    package static func path(of target: String) -> Substring { target.prefix { $0 != "?" && $0 != "#" } }

    /// The shape in which errors on this path are told.
    package static func errorShape(_ path: Substring, isAnthropicClient: Bool) -> ErrorShape {
        if path == Endpoint.messages.rawValue || path.hasPrefix("/v1/messages/") { return .anthropic }
        if path.hasPrefix("/v1/models"), isAnthropicClient { return .anthropic }
        return path == "/v1" || path.hasPrefix("/v1/") ? .openAI : .problem
    }

    static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
