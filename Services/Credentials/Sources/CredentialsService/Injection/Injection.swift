import BulkheadCore
import NIOCore

/// A secret made ready for one destination: where it goes, and how its echoes look. Made when secrets or destinations change,
/// not per call.
package struct Injection: Sendable {
    private enum Style: Sendable {
        case places(PlacedSecret, addsAnthropicVersion: Bool)
        case aws(AWSSignature)
        case hmac(HMACSpec, SecretBytes)
        case webhook([SecretBytes])
        case oauth(OAuthClient)
        /// The value is not what the preset needs: what is wrong, without the value.
        case unusable(String)
    }

    private let style: Style
    /// Headers that are this process's business alone, lower-case: a caller's are dropped.
    private let managed: Set<String>
    /// Finds in answers the secret, and every other one the upstream may know.
    package let needles: SecretNeedles

    /// Makes the secret ready.
    /// - Parameters:
    ///   - previous: the version before, while both are in force: webhooks are signed with both, and both are found in answers.
    ///   - needles: what to find in answers; nil: this secret's versions alone.
    package init(_ spec: InjectionSpec, value: SecretBytes, previous: SecretBytes? = nil, needles: SecretNeedles? = nil) {
        style = Self.style(spec, value, previous)
        managed = Self.managed(spec)
        self.needles =
            needles ?? SecretNeedles(([value] + [previous].compactMap { $0 }).flatMap { Self.sensitive(in: $0, spec.preset) })
    }

    /// Why the value cannot be used the way the preset says, as the end of a sentence about it; nil when it can.
    package var problem: String? {
        if case .unusable(let why) = style { return why }
        return nil
    }

    private static func style(_ spec: InjectionSpec, _ value: SecretBytes, _ previous: SecretBytes?) -> Style {
        switch spec.preset {
        case .awsSigV4:
            guard let scope = spec.aws, let key = AWSKey(value) else {
                return .unusable("is not ACCESS_KEY_ID:SECRET_ACCESS_KEY[:SESSION_TOKEN], which preset aws-sigv4 needs")
            }
            return .aws(AWSSignature(scope, key))
        case .hmac:
            guard let hmac = spec.hmac else { return .unusable("has no header to sign into") }
            return .hmac(hmac, value)
        case .standardWebhooks:
            guard let key = BodySignature.webhookKey(value) else {
                return .unusable("is not whsec_ and base64 of 24 to 64 bytes, which preset standard-webhooks needs")
            }
            return .webhook([key] + [previous].compactMap { $0.flatMap(BodySignature.webhookKey) })
        case .oauth2:
            guard let oauth = spec.oauth, let client = OAuthClient(oauth, value) else {
                return .unusable("is not {\"client_secret\": …, \"refresh_token\": …}, which the grant refresh_token needs")
            }
            return .oauth(client)
        default:
            do throws(PlacedSecret.Problem) {
                return .places(try PlacedSecret(spec, value), addsAnthropicVersion: spec.preset == .anthropic)
            } catch {
                return .unusable(error.message)
            }
        }
    }

    private static func managed(_ spec: InjectionSpec) -> Set<String> {
        switch spec.preset {
        case .awsSigV4: AWSSignature.headers
        case .hmac: Set([spec.hmac?.header, spec.hmac?.timestampHeader].compactMap { $0?.lowercased() })
        case .standardWebhooks: BodySignature.webhookHeaders
        case .oauth2: ["authorization"]
        default: Set(PlacedSecret.headers(spec).map(\.name))
        }
    }

    /// What of a stored value must not come back: public parts left out.
    package static func sensitive(in value: SecretBytes, _ preset: Preset) -> [[UInt8]] {
        let bytes = value.withBytes { Array($0) }
        let parts = bytes.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false).map { Array($0) }
        switch preset {
        case .basic: return [bytes, bytes.firstIndex(of: UInt8(ascii: ":")).map { Array(bytes[($0 + 1)...]) } ?? []]
        case .awsSigV4: return Array(parts.dropFirst())
        case .standardWebhooks:
            return [bytes, Array(bytes.dropFirst(6))]
                + (BodySignature.webhookKey(value).map { [$0.withBytes { Array($0) }] } ?? [])
        case .oauth2: return OAuthClient.sensitive(in: value)
        default: return [bytes]
        }
    }

    /// The first header the secret goes into, lower-case; nil when it goes elsewhere.
    package var header: String? { managed.min() }

    /// Whether the request's body has to be at hand: it is changed, or signed.
    package var needsWholeBody: Bool {
        switch style {
        case .places(let placed, _): placed.changesBody
        case .aws, .hmac, .webhook: true
        case .oauth, .unusable: false
        }
    }

    /// Where access tokens come from; nil for other presets.
    var oauth: OAuthClient? {
        if case .oauth(let client) = style { return client }
        return nil
    }

    /// Puts the secret into a request; signatures follow with `sign`, access tokens with `OAuthTokens`.
    /// - Throws: INVALID_ARGUMENT when the caller uses the secret's place itself, or the body has none for it; FAILED_PRECONDITION
    ///   `secret_refused` when the stored value is not what the preset needs.
    package func apply(to request: inout OutboundRequest) throws(CallError) {
        if !managed.isEmpty { request.headers.removeAll { managed.contains($0.name.lowercased()) } }
        request.acceptDecodable()
        switch style {
        case .places(let placed, let addsVersion):
            try placed.put(into: &request)
            if addsVersion, !request.headers.contains(where: { $0.name.lowercased() == "anthropic-version" }) {
                request.headers.append(OutboundRequest.Header("anthropic-version", SecretText("2023-06-01")))
            }
        case .unusable(let problem):
            throw CallError(
                .failedPrecondition, reason: "secret_refused", message: "the stored secret \(problem)", notProcessed: true)
        case .aws, .hmac, .webhook, .oauth: break
        }
    }

    /// Signs a request that is complete but for that.
    /// - Parameters:
    ///   - authority: `Host` as it goes on the wire.
    ///   - now: milliseconds since 1970.
    package func sign(_ request: inout OutboundRequest, authority: String, at now: Int64) {
        switch style {
        case .aws(let signature): signature.sign(&request, authority: authority, at: now)
        case .hmac(let spec, let key): BodySignature.add(spec, key, to: &request, at: now)
        case .webhook(let keys): BodySignature.addWebhook(keys, to: &request, at: now)
        case .places, .oauth, .unusable: break
        }
    }
}

extension OutboundRequest {
    /// Asks for what can be checked for secrets. Plain is liked best: nothing has to be undone then, and no upstream holds a stream
    /// back to pack it. Parts of a packed body cannot be unpacked, so with `Range` it is plain alone.
    fileprivate mutating func acceptDecodable() {
        headers.removeAll { $0.name.lowercased() == "accept-encoding" }
        let isPart = headers.contains { $0.name.lowercased() == "range" }
        headers.append(Header("accept-encoding", SecretText(isPart ? "identity" : "identity, gzip;q=0.5")))
    }
}
