/// One entry of `model_list`, read.
struct Deployment {
    var line: Int
    /// `model_name`: what clients send.
    var name: String
    var endpoint: ProviderEndpoint
    /// LiteLLM's prefix, for naming the provider.
    var prefix: String
    /// The provider's name of the model; empty: the name the client sends.
    var model: String
    var weight: Double?
    /// `rpm`, else `tpm`: what LiteLLM weighs by where there is no weight.
    var rate: Double?
    /// Entries of a lower order are asked first.
    var order: Double?
    /// Seconds.
    var timeout: Double?
    var streamTimeout: Double?
    var maxTokens: Int?
    var info = ImportedFacts()
}

/// What an entry says about its model, for `router.model_info`.
struct ImportedFacts: Equatable {
    var context: Int?
    var maxOutput: Int?
    var tools: Bool?
    var images: Bool?
    var prefill: Bool?
    /// US dollars per million tokens.
    var input: Double?
    var output: Double?
    var cachedInput: Double?
    var cacheWrite: Double?

    var isEmpty: Bool { self == ImportedFacts() }
}
