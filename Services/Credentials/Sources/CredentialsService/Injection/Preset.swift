/// How a secret is put into a request.
package enum Preset: String, CaseIterable, Sendable, Codable {
    /// `Authorization: Bearer SECRET`.
    case openai
    /// `x-api-key: SECRET`, and `anthropic-version` when the caller sends none.
    case anthropic
    /// `x-goog-api-key: SECRET`.
    case gemini
    /// `api-key: SECRET`.
    case azure
    /// As bearer.
    case cohere
    /// As bearer.
    case mistral
    /// `Authorization: Bearer SECRET`.
    case bearer
    /// `Authorization: Basic base64(SECRET)`; the secret is `user:password`.
    case basic
    /// A header of the destination's choice.
    case header
    /// A query parameter of the destination's choice. Query strings end up in logs of others: the last resort.
    case query
}
