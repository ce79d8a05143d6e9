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
    /// A place in a JSON body of the destination's choice.
    case json
    /// A field of a form body of the destination's choice.
    case form
    /// A part of the path of the destination's choice.
    case path
    /// AWS Signature Version 4; the secret is `ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN]`.
    case awsSigV4 = "aws-sigv4"
    /// A header with the HMAC of the body.
    case hmac
    /// Webhooks signed as Standard Webhooks 1.0.0 says; the secret is `whsec_` and base64.
    case standardWebhooks = "standard-webhooks"
    /// `Authorization: Bearer TOKEN`, the token fetched with the secret (RFC 6749): the client's secret, or for the grant
    /// `refresh_token` the JSON object `{"client_secret": …, "refresh_token": …}`.
    case oauth2
}

extension Preset {
    /// The kind of place the secret goes into; nil for presets that know their places themselves.
    var place: InjectionPlace.Kind? { InjectionPlace.Kind(rawValue: rawValue) }
}
