import BulkheadConfig

/// Where a provider is: what becomes a provider and a destination of its own. Entries with the same one share them.
struct ProviderEndpoint: Hashable {
    var dialect: String
    /// Without the path the router adds by itself.
    var base: String
    /// The secret's name; nil: nothing is injected.
    var secret: String?
    var preset: String

    /// An address of this machine or a network that is not the internet's.
    var isPrivate: Bool { AbsoluteURL(base).map { Self.isPrivate($0.host) } ?? false }
    var isPlain: Bool { base.hasPrefix("http://") }

    /// The address below which the router finds the dialect's paths; nil when `text` is no http address.
    /// - Returns: also whether a user, password or query was taken off: they may hold a key.
    static func base(_ text: String, dialect: String, isAzure: Bool) -> (text: String, isCut: Bool)? {
        guard let url = AbsoluteURL(text), ["http", "https"].contains(url.scheme) else { return nil }
        var path = url.path
        func trim(_ suffixes: [String]) {
            while path.hasSuffix("/") { path.removeLast() }
            for suffix in suffixes where path.lowercased().hasSuffix(suffix) {
                path.removeLast(suffix.count)
                while path.hasSuffix("/") { path.removeLast() }
            }
        }
        trim(["/chat/completions", "/completions", "/embeddings", "/messages", "/responses", "/v1beta", "/v1"])
        if isAzure {
            // The v1 interface of Azure is OpenAI's, with the deployment as the model.
            path = path.components(beforeFirst: "/openai") + "/openai"
        }
        let host = url.host.contains(":") ? "[\(url.host)]" : url.host
        let port = url.port.map { ":\($0)" } ?? ""
        return ("\(url.scheme)://\(host)\(port)\(path)", url.userInfo != nil || url.query != nil)
    }

    private static func isPrivate(_ host: String) -> Bool {
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        if numbers.count == 4, host.split(separator: ".").count == 4 {
            switch (numbers[0], numbers[1]) {
            case (127, _), (10, _), (192, 168), (172, 16 ... 31), (100, 64 ... 127): return true
            default: return false
            }
        }
        if host.contains(":") { return host == "::1" || host.hasPrefix("fd") || host.hasPrefix("fc") }
        return !host.contains(".") || [".local", ".internal", ".lan", ".svc", ".localhost"].contains { host.hasSuffix($0) }
    }
}

extension String {
    /// What stands before the first `mark`; everything when it is not there.
    fileprivate func components(beforeFirst mark: String) -> String {
        firstRange(of: mark).map { String(self[..<$0.lowerBound]) } ?? self
    }
}
