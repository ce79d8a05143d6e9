import BulkheadAPI

// In the place of the product's, which come with the configuration and its reader.

/// How a provider is spoken to.
package enum ProviderDialect: String, CaseIterable, Sendable {
    case openai
    case openaiResponses = "openai-responses"
    case anthropic
    case gemini
    case bedrock
    case builtin
}

/// One model of one provider.
package final class Target: Sendable {
    package let provider: String
    package let destination: String
    package let dialect: ProviderDialect
    package let model: String

    package init(provider: String, destination: String, dialect: ProviderDialect, model: String) {
        (self.provider, self.destination, self.dialect, self.model) = (provider, destination, dialect, model)
    }
}

/// A try at a target, as far as failures tell of it.
package struct Try: Sendable {
    package struct Deadline: Sendable { package let isRoutes: Bool }

    package let target: Target
    package let deadline: Deadline
}
