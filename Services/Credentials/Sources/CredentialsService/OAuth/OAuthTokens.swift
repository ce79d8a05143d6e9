import BulkheadCore
import Synchronization

/// Access tokens of all destinations with preset `oauth2`. They outlive the tables of destinations, which are made anew with every
/// change of a secret – rotated refresh tokens are such changes.
package final class OAuthTokens: Sendable {
    /// Stores a rotated value in the place of the one it was fetched with; does nothing when that one is not in force any more.
    package typealias Persist = @Sendable (_ secret: String, _ old: SecretBytes, _ new: SecretBytes) async throws -> Void

    private struct Key: Hashable {
        let secret: String
        let spec: OAuthSpec
        let allowsPrivate: Bool
    }

    private static let maxSessions = 1024
    private let sessions = Mutex<[Key: OAuthSession]>([:])
    private let now: @Sendable () -> MonotonicTime
    private let persist: Persist

    /// - Parameter now: the clock.
    package init(now: @escaping @Sendable () -> MonotonicTime = { .now() }, persist: @escaping Persist) {
        self.now = now
        self.persist = persist
    }

    /// Nothing is stored: for destinations whose tokens never rotate, and tests.
    package convenience init() { self.init { _, _, _ in } }

    /// A token that is good for a call that goes out now.
    /// - Parameter refused: one that the upstream refused.
    /// - Returns: nil when there is nothing better than the refused one.
    func token(
        of oauth: OAuthClient, for destination: Destination, by outbound: OutboundClient, after refused: AccessToken? = nil
    ) async throws -> AccessToken? {
        let secret = destination.configuration.secret ?? ""
        let allowsPrivate = destination.configuration.privateNetwork
        let key = Key(secret: secret, spec: oauth.spec, allowsPrivate: allowsPrivate)
        let connect = destination.configuration.limits.connect
        let session = sessions.withLock { sessions -> OAuthSession in
            if let known = sessions[key] { return known }
            if sessions.count >= Self.maxSessions { sessions.removeAll() }
            let made = OAuthSession(now: now) { [persist] old, new in try await persist(secret, old, new) }
            sessions[key] = made
            return made
        }
        return try await session.token(of: oauth, after: refused) { client in
            try await TokenEndpoint.fetch(client, allowsPrivate: allowsPrivate, connect: connect, by: outbound)
        }
    }
}
