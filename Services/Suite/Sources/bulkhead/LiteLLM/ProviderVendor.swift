/// What LiteLLM's prefix of a model (`groq/…`) stands for here.
struct ProviderVendor: Sendable {
    var dialect: String
    /// The provider's own address; nil: the file has to say it.
    var base: String?
    /// The secret's usual name; nil: servers of this kind usually want none.
    var secret: String?
    var preset = "bearer"

    /// By prefix, as LiteLLM documents them.
    static func named(_ prefix: String) -> ProviderVendor? { table[prefix] }

    /// Of a model without prefix, as LiteLLM guesses it.
    static func guessed(_ model: String) -> String? {
        let prefixes: [(begins: [String], prefix: String)] = [
            (["gpt-", "o1", "o3", "o4", "chatgpt-", "text-embedding-", "ft:"], "openai"), (["claude-"], "anthropic"),
            (["gemini-"], "gemini"),
        ]
        return prefixes.first { entry in entry.begins.contains { model.hasPrefix($0) } }?.prefix
    }

    private static func compatible(_ base: String, _ secret: String) -> ProviderVendor {
        ProviderVendor(dialect: "openai", base: base, secret: secret)
    }

    private static func local(_ base: String? = nil) -> ProviderVendor { ProviderVendor(dialect: "openai", base: base) }

    private static let table: [String: ProviderVendor] = [
        "openai": .init(dialect: "openai", base: "https://api.openai.com", secret: "OPENAI_API_KEY", preset: "openai"),
        "anthropic": .init(
            dialect: "anthropic", base: "https://api.anthropic.com", secret: "ANTHROPIC_API_KEY", preset: "anthropic"),
        "gemini": .init(
            dialect: "gemini", base: "https://generativelanguage.googleapis.com", secret: "GEMINI_API_KEY", preset: "gemini"),
        "bedrock": .init(dialect: "bedrock", secret: "AWS_BEARER_TOKEN_BEDROCK"),
        "azure": .init(dialect: "openai", secret: "AZURE_API_KEY", preset: "azure"),
        "azure_ai": .init(dialect: "openai", secret: "AZURE_AI_API_KEY", preset: "azure"),
        "ollama": local("http://localhost:11434"), "ollama_chat": local("http://localhost:11434"),
        "hosted_vllm": local(), "lm_studio": local("http://localhost:1234"), "llamafile": local("http://localhost:8080"),
        "xinference": local(), "litellm_proxy": local(), "openai_like": local(), "custom_openai": local(),
        "openrouter": compatible("https://openrouter.ai/api", "OPENROUTER_API_KEY"),
        "groq": compatible("https://api.groq.com/openai", "GROQ_API_KEY"),
        "mistral": compatible("https://api.mistral.ai", "MISTRAL_API_KEY"),
        "deepseek": compatible("https://api.deepseek.com", "DEEPSEEK_API_KEY"),
        "together_ai": compatible("https://api.together.xyz", "TOGETHERAI_API_KEY"),
        "fireworks_ai": compatible("https://api.fireworks.ai/inference", "FIREWORKS_AI_API_KEY"),
        "xai": compatible("https://api.x.ai", "XAI_API_KEY"),
        "nvidia_nim": compatible("https://integrate.api.nvidia.com", "NVIDIA_NIM_API_KEY"),
        "cerebras": compatible("https://api.cerebras.ai", "CEREBRAS_API_KEY"),
        "sambanova": compatible("https://api.sambanova.ai", "SAMBANOVA_API_KEY"),
        "moonshot": compatible("https://api.moonshot.ai", "MOONSHOT_API_KEY"),
    ]
}
