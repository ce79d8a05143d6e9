/// One entry of `router.models` in the making.
struct ImportedRoute {
    struct Target: Equatable {
        /// The place of the provider among the imported ones.
        var provider: Int
        var model: String
        var weight: Int
    }

    var name: String
    /// nil: not written, which is `ordered`.
    var strategy: String?
    var targets: [Target]
    /// Seconds.
    var total: Double?
    var firstToken: Double?
    var maxTokens: Int?
    /// Tries after the first.
    var retries: Int?
}

/// Everything that is written.
struct ImportedSetup {
    struct Provider {
        var name: String
        var endpoint: ProviderEndpoint
        /// As the entries of the file have it.
        var original: ProviderEndpoint
    }

    var providers: [Provider] = []
    var routes: [ImportedRoute] = []
    var facts: [(model: String, facts: ImportedFacts)] = []
    /// Seconds an answer is cached; nil: the cache is off.
    var cacheSeconds: Double?

    /// The names of the secrets to be stored.
    var secrets: [String] {
        var seen: Set<String> = []
        return providers.compactMap(\.endpoint.secret).filter { seen.insert($0).inserted }
    }
}
