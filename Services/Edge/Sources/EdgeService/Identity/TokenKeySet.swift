import BulkheadJSON
import FoundationEssentials
import JWTKit
import NIOCore

/// The keys of an issuer that can verify tokens (RFC 7517), by `kid`. Made once for each document; verifying needs no actor.
package struct TokenKeySet: Sendable {
    /// Bytes of a document.
    package static let mostBytes = 1 << 20
    /// Keys of a document; more are not looked at.
    package static let mostKeys = 64
    private static let depth = 16

    private struct Key: Sendable {
        let id: String?
        let algorithm: TokenAlgorithm
        let verifier: any JWTAlgorithm
    }

    private let keys: [Key]
    /// What was left out and why, without anything of the key: for the log.
    package let refused: [String]
    /// Tells documents apart.
    let document: ByteBuffer

    /// Whether there is no key for any algorithm.
    package var isEmpty: Bool { keys.isEmpty }

    /// - Throws: `TokenKeyProblem` for what is no key set, or has no key that can be used.
    package init(_ document: ByteBuffer, algorithms: [TokenAlgorithm]) async throws {
        guard document.readableBytes <= Self.mostBytes else {
            throw TokenKeyProblem("it is longer than \(Self.mostBytes) bytes")
        }
        guard let json = try? JSON.parse(document, maxDepth: Self.depth), let list = json["keys"]?.array else {
            throw TokenKeyProblem("it is not a JSON object with a list of keys")
        }
        var (keys, refused): ([Key], [String]) = ([], [])
        for (index, item) in list.prefix(Self.mostKeys).enumerated() {
            do throws(TokenKeyProblem) {
                keys += try await Self.keys(item, algorithms)
            } catch {
                refused.append("key \(index): \(error)")
            }
        }
        if list.count > Self.mostKeys { refused.append("\(list.count - Self.mostKeys) keys beyond the first \(Self.mostKeys)") }
        guard !keys.isEmpty else {
            throw TokenKeyProblem("it has no key that can verify tokens (\(refused.joined(separator: "; ").prefix(300)))")
        }
        (self.keys, self.refused, self.document) = (keys, refused, document)
    }

    /// What may have signed the token.
    /// - Throws: `keyUnknown`, `keyMissing`.
    private func candidates(_ token: UnverifiedToken) throws(TokenRefusal) -> [Key] {
        let fitting = keys.filter { $0.algorithm == token.algorithm }
        if let id = token.keyID {
            // Two keys of one id are not meant to be; each is the issuer's, so either may have signed.
            let named = fitting.filter { $0.id == id }
            guard !named.isEmpty else { throw .keyUnknown }
            return named
        }
        guard fitting.count == 1 else { throw fitting.isEmpty ? .keyUnknown : .keyMissing }
        return fitting
    }

    /// - Throws: `TokenRefusal` unless a key of the set has signed the token.
    package func verify(_ token: UnverifiedToken) throws(TokenRefusal) {
        for key in try candidates(token) {
            // A signature that cannot even be read is wrong.
            if let isRight = try? key.verifier.verify(token.signature, signs: token.signed), isRight { return }
        }
        throw .signature
    }
}

/// Why a key set, or a key in it, is not used. Holds nothing of a key.
package struct TokenKeyProblem: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

// Keys from JSON.
extension TokenKeySet {
    /// One key for each algorithm it may be used with.
    private static func keys(_ json: JSON, _ algorithms: [TokenAlgorithm]) async throws(TokenKeyProblem) -> [Key] {
        guard json.object != nil, let type = json["kty"]?.string else { throw TokenKeyProblem("it has no kty") }
        guard type != "oct" else { throw TokenKeyProblem("it is symmetric (kty oct): whoever verifies with it could sign") }
        guard json["d"] == nil else { throw TokenKeyProblem("it holds its private part: replace it at the issuer") }
        if let use = json["use"], use.string != "sig" { throw TokenKeyProblem("its use is not sig") }
        if let operations = json["key_ops"]?.array, !operations.contains("verify") {
            throw TokenKeyProblem("its key_ops do not hold verify")
        }
        let curve = json["crv"]?.string
        let fitting = TokenAlgorithm.allCases.filter { $0.keyType == type && ($0.curve == nil || $0.curve == curve) }
        guard !fitting.isEmpty else { throw TokenKeyProblem("no algorithm is known for its kty and crv") }
        let wanted: [TokenAlgorithm]
        if let named = json["alg"] {
            guard let one = named.string.flatMap(TokenAlgorithm.init(rawValue:)), fitting.contains(one) else {
                throw TokenKeyProblem("its alg does not go with its kty, or is none that is known")
            }
            wanted = [one]
        } else {
            wanted = fitting
        }
        var keys: [Key] = []
        for algorithm in wanted where algorithms.contains(algorithm) {
            let verifier = try await verifier(json, algorithm)
            keys.append(Key(id: json["kid"]?.string, algorithm: algorithm, verifier: verifier))
        }
        guard !keys.isEmpty else { throw TokenKeyProblem("edge.auth.algorithms does not hold one of its algorithms") }
        return keys
    }

    /// Bytes of the longest RSA modulus: 8192 bits. What is longer costs more time than a request is worth.
    private static let longestModulus = 1024

    private static func verifier(_ json: JSON, _ algorithm: TokenAlgorithm) async throws(TokenKeyProblem) -> any JWTAlgorithm {
        let key = try jwk(json, algorithm)
        do {
            // An actor once for each key: what it gives verifies without one.
            let verifier = try await JWTKeyCollection().add(jwk: key).getKey(for: name, alg: algorithm.rawValue)
            guard verifier.name == algorithm.rawValue else { throw TokenKeyProblem("it is for another algorithm") }
            return verifier
        } catch let problem as TokenKeyProblem {
            throw problem
        } catch {
            throw TokenKeyProblem("it is no usable \(algorithm.keyType) key, or a weak one (RSA needs 2048 bits)")
        }
    }

    /// What a key is called in a collection of one.
    private static let name: JWKIdentifier = "key"

    private static func jwk(_ json: JSON, _ algorithm: TokenAlgorithm) throws(TokenKeyProblem) -> JWK {
        switch algorithm.keyType {
        case "RSA":
            let modulus = try part(json, "n")
            // A key of 2040 bits and less is weak whatever its leading bits are; the library looks at the rest.
            guard (256 ... longestModulus).contains(modulus.drop { $0 == 0 }.count) else {
                throw TokenKeyProblem("its RSA modulus has fewer than 2048 bits, which is weak, or more than 8192")
            }
            return .rsa(algorithm.jwk, identifier: name, modulus: json["n"]?.string, exponent: try text(json, "e"))
        case "EC":
            return .ecdsa(
                algorithm.jwk, identifier: name, x: try text(json, "x"), y: try text(json, "y"),
                curve: algorithm.curve.flatMap(ECDSACurve.init(rawValue:)))
        default:
            return .octetKeyPair(
                algorithm.jwk, identifier: name, x: try text(json, "x"), y: nil,
                curve: algorithm.curve.flatMap(EdDSACurve.init(rawValue:)))
        }
    }

    private static func part(_ json: JSON, _ name: String) throws(TokenKeyProblem) -> [UInt8] {
        guard let text = json[name]?.string, let bytes = Base64URL.decode(Array(text.utf8)), !bytes.isEmpty else {
            throw TokenKeyProblem("its \(name) is not base64url")
        }
        return bytes
    }

    private static func text(_ json: JSON, _ name: String) throws(TokenKeyProblem) -> String {
        _ = try part(json, name)
        return json[name]?.string ?? ""
    }
}
