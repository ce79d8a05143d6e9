/// A part of a request that a secret goes into.
package struct InjectionPlace: Sendable, Hashable, Codable {
    /// What kind of part; the keys of a destination's entry.
    package enum Kind: String, CaseIterable, Sendable, Codable {
        case header, query, json, form, path
    }

    /// What kind of part.
    package var kind: Kind
    /// The header's name, the parameter's, the JSON pointer (RFC 6901), the field's, or the path with its hole.
    package var field: String

    /// A place.
    package init(_ kind: Kind, _ field: String) {
        self.kind = kind
        self.field = field
    }
}

/// How and where a secret goes into a request, as a destination's entry says it and as it is sealed with the secret.
package struct InjectionSpec: Sendable, Hashable, Codable {
    /// The style.
    package var preset: Preset
    /// What presets `header`, `query`, `json`, `form` and `path` put the secret into; empty otherwise.
    package var field: String
    /// Further places of the same request, for those presets.
    package var also: [InjectionPlace]?
    /// What stands in the place, with `{secret}` once; nil: the secret alone. Not for paths, which have their hole.
    package var template: String?
    /// Preset `aws-sigv4`.
    package var aws: AWSScope?
    /// Preset `hmac`.
    package var hmac: HMACSpec?
    /// Preset `oauth2`.
    package var oauth: OAuthSpec?

    /// A style with its field.
    package init(preset: Preset, field: String = "") {
        self.preset = preset
        self.field = field
    }

    /// All of it in one line, for people.
    package var described: String {
        var words = [preset.rawValue] + places.map { "\($0.kind.rawValue) \($0.field)" }
        if let template { words.append("value \(template)") }
        if let aws { words.append("region \(aws.region) service \(aws.service)") }
        if let hmac {
            words.append("header \(hmac.header) value \(hmac.template) \(hmac.algorithm.rawValue) \(hmac.encoding.rawValue)")
            words.append("signs \(hmac.content.rawValue)" + (hmac.timestampHeader.map { " timestamp_header \($0)" } ?? ""))
        }
        if let oauth {
            words.append("token_url \(oauth.tokenURL) client_id \(oauth.clientID) grant \(oauth.grant.rawValue)")
            words.append("auth \(oauth.authentication.rawValue) scopes [\(oauth.scopes.joined(separator: ", "))]")
        }
        return words.joined(separator: ", ")
    }

    /// Where a value goes as it is; empty for presets that make something else of it.
    var places: [InjectionPlace] { (preset.place.map { [InjectionPlace($0, field)] } ?? []) + (also ?? []) }
}

/// For which service requests are signed.
package struct AWSScope: Sendable, Hashable, Codable {
    /// E.g. `eu-central-1`.
    package var region: String
    /// E.g. `bedrock`.
    package var service: String

    /// A scope.
    package init(region: String, service: String) {
        self.region = region
        self.service = service
    }
}

/// How a body is signed with an HMAC.
package struct HMACSpec: Sendable, Hashable, Codable {
    /// The hash.
    package enum Algorithm: String, CaseIterable, Sendable, Codable { case sha256, sha512 }
    /// How the signature is written.
    package enum Encoding: String, CaseIterable, Sendable, Codable { case hex, base64 }
    /// What is signed.
    package enum Content: String, CaseIterable, Sendable, Codable {
        case body
        /// Seconds since 1970, a dot, the body.
        case timestampAndBody = "timestamp.body"
    }

    /// The header with the signature.
    package var header: String
    /// Its value, with `{signature}` once and `{timestamp}` where wanted.
    package var template: String
    package var algorithm: Algorithm
    package var encoding: Encoding
    package var content: Content
    /// A header of its own for the timestamp; nil: none.
    package var timestampHeader: String?

    /// A way to sign.
    package init(
        header: String, template: String = "{signature}", algorithm: Algorithm = .sha256, encoding: Encoding = .hex,
        content: Content = .body, timestampHeader: String? = nil
    ) {
        self.header = header
        self.template = template
        self.algorithm = algorithm
        self.encoding = encoding
        self.content = content
        self.timestampHeader = timestampHeader
    }
}

/// Where and how access tokens are fetched (RFC 6749).
package struct OAuthSpec: Sendable, Hashable, Codable {
    /// What is given for a token.
    package enum Grant: String, CaseIterable, Sendable, Codable {
        case clientCredentials = "client_credentials"
        case refreshToken = "refresh_token"
    }
    /// How the client says who it is (§2.3.1).
    package enum Authentication: String, CaseIterable, Sendable, Codable { case basic, post }

    /// The token endpoint.
    package var tokenURL: String
    package var clientID: String
    package var scopes: [String]
    package var grant: Grant
    package var authentication: Authentication

    /// A way to get tokens.
    package init(
        tokenURL: String, clientID: String, scopes: [String] = [], grant: Grant = .clientCredentials,
        authentication: Authentication = .basic
    ) {
        self.tokenURL = tokenURL
        self.clientID = clientID
        self.scopes = scopes
        self.grant = grant
        self.authentication = authentication
    }
}
