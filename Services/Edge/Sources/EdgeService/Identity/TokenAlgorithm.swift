import JWTKit

/// How a token may be signed. Asymmetric only: `none` and the HMAC family have no place here, so that no token can be made with
/// what is public (RFC 8725 §2.1, §3.1).
package enum TokenAlgorithm: String, CaseIterable, Sendable {
    case rs256 = "RS256"
    case rs384 = "RS384"
    case rs512 = "RS512"
    case ps256 = "PS256"
    case ps384 = "PS384"
    case ps512 = "PS512"
    case es256 = "ES256"
    case es384 = "ES384"
    case es512 = "ES512"
    /// With Ed25519.
    case eddsa = "EdDSA"

    /// The `kty` of keys for it.
    var keyType: String {
        switch self {
        case .rs256, .rs384, .rs512, .ps256, .ps384, .ps512: "RSA"
        case .es256, .es384, .es512: "EC"
        case .eddsa: "OKP"
        }
    }

    /// The `crv` of keys for it; nil: keys without a curve.
    var curve: String? {
        switch self {
        case .es256: "P-256"
        case .es384: "P-384"
        case .es512: "P-521"
        case .eddsa: "Ed25519"
        default: nil
        }
    }

    var jwk: JWK.Algorithm? { JWK.Algorithm(rawValue: rawValue) }
}
