/// The rule a token breaks. What is told of it never holds a part of the token.
package enum TokenRefusal: Error, Equatable, Sendable {
    /// Longer than `UnverifiedToken.longest`.
    case tooLong
    /// Not three parts of base64url, or not JSON inside; the word says what.
    case malformed(String)
    /// Signed by an algorithm that is not among those of the configuration.
    case algorithm
    /// Names no key, and several could be meant.
    case keyMissing
    /// Names a key the issuer does not have.
    case keyUnknown
    case signature
    case expired
    case notYetValid
    /// Issued longer ago than `max_age`.
    case tooOld
    case issuer
    case audience
    /// A claim that is missing, or of another kind than expected.
    case claim(String)

    /// For people.
    package var reason: String {
        switch self {
        case .tooLong: "it is longer than \(UnverifiedToken.longest) bytes"
        case .malformed(let what): what
        case .algorithm: "its alg is not among those this server accepts"
        case .keyMissing: "it has no kid, and its issuer has several keys for its alg"
        case .keyUnknown: "its kid is not that of a key of its issuer"
        case .signature: "its signature is not right"
        case .expired: "it has expired (exp)"
        case .notYetValid: "it is not valid yet (nbf or iat)"
        case .tooOld: "it was issued too long ago (iat)"
        case .issuer: "its iss is another issuer than the one this server trusts"
        case .audience: "its aud does not name this server"
        case .claim(let name): "its claim \(name) is missing, or not what this server expects there"
        }
    }

    /// For metrics: few, and of no client's choice.
    package var label: String {
        switch self {
        case .tooLong: "too_long"
        case .malformed: "malformed"
        case .algorithm: "alg"
        case .keyMissing, .keyUnknown: "kid"
        case .signature: "signature"
        case .expired: "exp"
        case .notYetValid: "nbf"
        case .tooOld: "iat"
        case .issuer: "iss"
        case .audience: "aud"
        case .claim: "claim"
        }
    }

    /// All labels there are.
    static let labels = ["too_long", "malformed", "alg", "kid", "signature", "exp", "nbf", "iat", "iss", "aud", "claim"]

    /// What the client is told.
    package var error: EdgeError {
        EdgeError(
            .unauthenticated, code: "invalid_token",
            message: "The token is not accepted: \(reason). Get a new one from the identity provider.")
    }
}
