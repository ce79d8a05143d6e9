import BulkheadAPI
import BulkheadConfig

/// How a provider is spoken to.
package enum ProviderDialect: String, CaseIterable, Sendable, Codable {
    case openai
    case openaiResponses = "openai-responses"
    case anthropic
    case gemini
    case bedrock
    /// The embedder of the retrieval service.
    case builtin

    /// The word of the canonical form.
    package var canonical: ChatAPI.Dialect {
        switch self {
        case .openai: .openaiChat
        case .openaiResponses: .openaiResponses
        case .anthropic: .anthropicMessages
        case .gemini: .gemini
        case .bedrock: .bedrock
        case .builtin: .unspecified
        }
    }
}

/// Which of a provider's model names clients may use directly.
package enum ServedNames: String, CaseIterable, Sendable, Codable {
    /// All names that are known to belong to the dialect, e.g. `gpt-*`.
    case all
    /// Only through `models`.
    case listed
}

/// One entry of `router.providers`.
package struct ProviderConfiguration: Sendable, Equatable {
    /// How targets refer to it; appears in headers and metrics.
    package var name: String
    /// The destination of the credentials service; empty for `builtin`, which needs none.
    package var destination: String
    package var dialect: ProviderDialect
    package var serve: ServedNames

    package init(section: ConfigSection) {
        name = section.requiredString("name")
        dialect = section.choice("dialect", default: .openai)
        destination = section.string("destination", default: "")
        serve = section.choice("serve", default: .listed)
        if !section.contains("dialect") {
            section.report(
                "dialect", found: "nothing",
                expected: "one of: \(ProviderDialect.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        if !name.isEmpty, !Self.isLabel(name) {
            section.report(
                "name", found: name, expected: "at most 64 letters, digits, \".\", \"_\" or \"-\": it is sent in a header")
        }
        checkDestination(section)
    }

    /// A model as the provider is asked for it. - Parameter name: as it was configured, or as the client sent it.
    package func modelName(_ name: String) -> String {
        switch dialect {
        case .builtin: RoutingTable.builtinModel
        // Paths of the Gemini API have the collection already.
        case .gemini where name.hasPrefix("models/"): String(name.dropFirst("models/".count))
        default: name
        }
    }

    private func checkDestination(_ section: ConfigSection) {
        if dialect == .builtin {
            guard !destination.isEmpty else { return }
            section.report("destination", found: destination, expected: "nothing: the builtin embedder is the retrieval service")
        } else if destination.isEmpty {
            section.report("destination", found: "nothing", expected: "the name of a destination of the section credentials")
        }
    }

    private static func isLabel(_ text: String) -> Bool {
        text.utf8.count <= 64
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 48 ... 57, 65 ... 90, 97 ... 122, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
                default: false
                }
            }
    }
}
