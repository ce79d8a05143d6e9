import BulkheadCore
import Synchronization

/// Stores refresh tokens that an authorization server replaced.
final class TokenRotations: Sendable {
    private let owner = Mutex<Owner>(Owner())

    private struct Owner { weak var daemon: CredentialsDaemon? }

    /// Set once, when the daemon is made.
    var daemon: CredentialsDaemon? {
        get { owner.withLock { $0.daemon } }
        set { owner.withLock { $0.daemon = newValue } }
    }

    /// - Throws: why it could not be stored; the access token is not used then.
    var save: OAuthTokens.Persist {
        { [self] name, old, new in
            guard let daemon else { throw CallError(.unavailable, message: "this process is stopping", notProcessed: true) }
            try await daemon.storeRotated(name, old, new)
        }
    }
}

extension CredentialsDaemon {
    /// Puts a rotated value in the place of the one it was fetched with, unless an operator has stored or revoked meanwhile.
    fileprivate func storeRotated(_ name: String, _ old: SecretBytes, _ new: SecretBytes) async throws {
        try await change("refresh", name) { secrets in
            guard let stored = secrets[name], stored.policy.revoked == 0,
                stored.value.withBytes({ now in old.withBytes { $0.elementsEqual(now) } })
            else { return }
            secrets[name]?.value = new
        }
    }
}
