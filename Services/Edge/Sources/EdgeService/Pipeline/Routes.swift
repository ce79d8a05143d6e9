/// What edge serves.
package enum Endpoint: String, Sendable, CaseIterable {
    /// Model routes.
    case chat = "/v1/chat/completions"
    case responses = "/v1/responses"
    case messages = "/v1/messages"
    case countTokens = "/v1/messages/count_tokens"
    case embeddings = "/v1/embeddings"
    case moderations = "/v1/moderations"
    case models = "/v1/models"
    case model = "/v1/models/{id}"
    /// The credential proxy.
    case proxy = "/v1/proxy/{destination}/{path}"
    case call = "/v1/call/{destination}"
    case destinations = "/v1/call"
    /// Operators' routes.
    case health = "/health"
    case ready = "/ready"
    case metrics = "/metrics"
    /// What this list says, for tools.
    case contract = "/openapi.json"

    /// The methods it answers, as `Allow` has them.
    var allow: String {
        switch methods {
        case .get: "GET, HEAD"
        case .post: "POST"
        case .any: "GET, HEAD, POST, PUT, PATCH, DELETE"
        }
    }

    /// Which methods a route answers. OPTIONS tells them, except where any goes: there it is the destination's to answer.
    enum Methods {
        case get, post, any
    }

    var methods: Methods {
        switch self {
        case .chat, .responses, .messages, .countTokens, .embeddings, .moderations, .call: .post
        case .models, .model, .destinations, .health, .ready, .metrics, .contract: .get
        case .proxy: .any
        }
    }

    /// For the verb `routes`.
    var summary: String {
        switch self {
        case .chat: "OpenAI chat, whole or as a stream"
        case .responses: "OpenAI Responses without stored state, whole or as a stream"
        case .messages: "Anthropic Messages, whole or as a stream"
        case .countTokens: "the input tokens of an Anthropic request"
        case .embeddings: "OpenAI embeddings"
        case .moderations: "OpenAI moderations"
        case .models: "the models, in Anthropic's shape when anthropic-version is sent"
        case .model: "one model"
        case .proxy: "a request to a destination, as it is, streamed both ways"
        case .call: "a request to a destination, described by {method, path, query, headers, body}"
        case .destinations: "the destinations the key may call"
        case .health: "liveness, from memory (also /livez, /healthz)"
        case .ready: "readiness of every part (also /readyz)"
        case .metrics: "Prometheus metrics of the whole suite"
        case .contract: "these routes as OpenAPI 3.1"
        }
    }
}

/// A request's target, matched.
package struct RouteMatch: Sendable, Equatable {
    /// The route.
    package var endpoint: Endpoint
    /// What stands in the route's first `{…}`: of models decoded, of destinations as it is.
    package var argument = ""

    /// A match.
    package init(endpoint: Endpoint, argument: String = "") {
        self.endpoint = endpoint
        self.argument = argument
    }
}

/// Finds what a path names. Clients whose base URL lacks `/v1` are served too.
package enum Routes {
    private static let root = "/v1"
    private static let modelPrefix = "/v1/models/"
    private static let callPrefix = "/v1/call/"
    /// What follows the destination behind this is the destination's own and stays as it is.
    package static let proxyPrefix = "/v1/proxy/"
    private static let aliases: [String: Endpoint] = [
        "/livez": .health, "/healthz": .health, "/readyz": .ready,
    ]
    private static let exact: [String: Endpoint] = {
        let all = Endpoint.allCases.filter { !$0.rawValue.contains("{") }.map { ($0.rawValue, $0) }
        return Dictionary(uniqueKeysWithValues: all).merging(aliases) { own, _ in own }
    }()
    /// Where the paths of model routes begin.
    private static let surfaces = Set(
        Endpoint.allCases.filter { $0.rawValue.hasPrefix(root) && ![.proxy, .call, .destinations].contains($0) }.map {
            surface($0.rawValue.dropFirst(root.count))
        })

    /// - Parameter path: without the query. One trailing slash is accepted. Names of models may hold slashes, raw or escaped.
    package static func match(_ path: Substring) -> RouteMatch? {
        if path.utf8.starts(with: proxyPrefix.utf8) {
            let name = path.utf8.dropFirst(proxyPrefix.utf8.count).prefix { $0 != UInt8(ascii: "/") }
            return RouteMatch(endpoint: .proxy, argument: String(Substring(name)))
        }
        let path = full(path)
        if let endpoint = exact[String(path)] { return RouteMatch(endpoint: endpoint) }
        if path.hasPrefix(callPrefix) {
            let name = path.dropFirst(callPrefix.count)
            return name.utf8.contains(UInt8(ascii: "/")) ? nil : RouteMatch(endpoint: .call, argument: String(name))
        }
        guard path.hasPrefix(modelPrefix), let name = percentDecoded(path.dropFirst(modelPrefix.count)), !name.isEmpty else {
            return nil
        }
        return RouteMatch(endpoint: .model, argument: name)
    }

    /// The path of a request's target, without its query.
    package static func path(of target: String) -> Substring {
        Substring(target.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    }

    /// The parameters of a request's target, decoded; of several with one name the last.
    package static func query(of target: String) -> [String: String] {
        guard let mark = target.firstIndex(of: "?") else { return [:] }
        let pairs = target[target.index(after: mark)...].prefix { $0 != "#" }.split(separator: "&").map { pair in
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (percentDecoded(halves[0]) ?? "", halves.count == 2 ? percentDecoded(halves[1]) ?? "" : "")
        }
        return Dictionary(pairs) { _, last in last }
    }

    /// The shape in which errors on this path are told.
    package static func errorShape(_ path: Substring, isAnthropicClient: Bool) -> ErrorShape {
        if isProxied(path) { return .problem }
        let path = full(path)
        let bytes = path.utf8
        guard bytes.starts(with: root.utf8) else { return .problem }
        if path == Endpoint.messages.rawValue || bytes.starts(with: "/v1/messages/".utf8) { return .anthropic }
        if isAnthropicClient, bytes.starts(with: Endpoint.models.rawValue.utf8) { return .anthropic }
        return bytes.count == root.utf8.count || bytes.dropFirst(root.utf8.count).first == UInt8(ascii: "/") ? .openAI : .problem
    }

    private static func isProxied(_ path: Substring) -> Bool {
        let bytes = path.utf8
        return bytes.starts(with: proxyPrefix.utf8) || bytes.starts(with: callPrefix.utf8)
            || path == Endpoint.destinations.rawValue
    }

    /// With the root of the model routes, and without a trailing slash.
    private static func full(_ path: Substring) -> Substring {
        let path = path.utf8.last == UInt8(ascii: "/") && path.utf8.count > 1 ? path.dropLast() : path
        if path.utf8.starts(with: "/v1/".utf8) { return path }
        return surfaces.contains(surface(path)) ? "\(root)\(path)" : path
    }

    /// The first segment of a path, e.g. `/chat`.
    private static func surface(_ path: Substring) -> String { "/" + path.dropFirst().prefix { $0 != "/" } }

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
