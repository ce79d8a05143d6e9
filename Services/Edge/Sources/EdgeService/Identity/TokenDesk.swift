import BulkheadCore
import BulkheadObservability
import Synchronization

/// Says who shows a token: structure → the issuer's key → signature → claims. What was found is remembered for a minute.
///
/// All of it runs where the request does, on the process' loop: 0.1 to 0.2 ms (RSA-2048; Ed25519, P-256), once a minute a token.
package final class TokenDesk: Sendable {
    /// How API keys of this product begin; whatever else is shown must be a token.
    static let keyPrefix = "bh_"

    /// The time, as tokens have it and as this process measures it.
    package struct Clock: Sendable {
        /// Seconds since 1970.
        var unixSeconds: @Sendable () -> Int
        var monotonic: @Sendable () -> MonotonicTime

        package init(unixSeconds: @escaping @Sendable () -> Int, monotonic: @escaping @Sendable () -> MonotonicTime) {
            self.unixSeconds = unixSeconds
            self.monotonic = monotonic
        }

        static let system = Clock(unixSeconds: { WallClock.unixSeconds() }, monotonic: { .now() })
    }

    package let keys: TokenKeys
    private let rules: TokenRules
    private let clock: Clock
    private let metrics: TokenMetrics
    private let memory: Mutex<TokenMemory>

    package convenience init(_ settings: OIDCConfiguration, keys: TokenKeys, clock: Clock) {
        self.init(settings, keys: keys, clock: clock, metrics: TokenMetrics(MetricsRegistry(service: "edge")))
    }

    init(_ settings: OIDCConfiguration, keys: TokenKeys, clock: Clock = .system, metrics: TokenMetrics) {
        self.keys = keys
        self.clock = clock
        self.metrics = metrics
        rules = TokenRules(settings)
        memory = Mutex(TokenMemory())
    }

    /// Tokens remembered.
    package var remembered: Int { memory.withLock { $0.count } }

    /// The issuer has other keys: every token is verified again.
    package func forgetAll() { memory.withLock { $0.forgetAll() } }

    /// Who shows a token that was verified lately.
    func known(_ token: String) -> TokenBearer? {
        guard token.utf8.count <= UnverifiedToken.longest else { return nil }
        let digest = KeyDigest(key: token)
        return memory.withLock { $0.find(digest, now: clock.monotonic()) }
    }

    /// Who shows the token.
    /// - Throws: 401 `invalid_token` that names the rule, 503 `identity_unavailable` when there are no keys to judge it by.
    package func verify(_ text: String) async throws(EdgeError) -> TokenBearer {
        guard text.utf8.count <= UnverifiedToken.longest else { throw refused(.tooLong) }
        let digest = KeyDigest(key: text)
        if let known = memory.withLock({ $0.find(digest, now: clock.monotonic()) }) {
            metrics.count(.remembered)
            return known
        }
        switch await judge(text, digest) {
        case .success(let bearer)?:
            metrics.count(.verified)
            return bearer
        case .failure(let refusal)?: throw refused(refusal)
        case nil:
            metrics.count(.unavailable)
            throw Self.unavailable
        }
    }

    /// - Returns: nil when there are no keys.
    private func judge(_ text: String, _ digest: KeyDigest) async -> Result<TokenBearer, TokenRefusal>? {
        do throws(TokenRefusal) {
            let token = try UnverifiedToken(text)
            guard let generation = try await check(token) else { return nil }
            let now = clock.unixSeconds()
            let (bearer, until) = try rules.judge(token.claims, now: now)
            // A day is longer than any token is remembered, and no time a token can name overflows.
            let lifetime = Duration.milliseconds(Int(min(max(0, until - Double(now)), 86_400) * 1000))
            memory.withLock {
                $0.remember(digest, bearer, lifetime: lifetime, generation: generation, now: clock.monotonic())
            }
            return .success(bearer)
        } catch {
            return .failure(error)
        }
    }

    /// Checks the signature; a key id that is not known has the keys read again, once in a while.
    /// - Returns: the generation of the keys; nil when there are none.
    private func check(_ token: UnverifiedToken) async throws(TokenRefusal) -> Int? {
        if keys.current == nil { _ = await keys.reload(for: .noKeys) }
        let generation = memory.withLock { $0.generation }
        guard let set = keys.current else { return nil }
        do throws(TokenRefusal) {
            try set.verify(token)
            return generation
        } catch {
            guard error == .keyUnknown, await keys.reload(for: .unknownKey) else { throw error }
        }
        let next = memory.withLock { $0.generation }
        guard let fresh = keys.current else { return nil }
        try fresh.verify(token)
        return next
    }

    private func refused(_ refusal: TokenRefusal) -> EdgeError {
        metrics.refused(refusal)
        return refusal.error
    }

    private static let unavailable = EdgeError(
        .unavailable, code: "identity_unavailable",
        message: "The keys of the identity provider are not known at the moment, so tokens cannot be checked. Try again shortly.")
}
