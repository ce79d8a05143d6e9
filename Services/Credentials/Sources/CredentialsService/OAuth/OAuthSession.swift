import BulkheadCore
import Crypto
import Synchronization

/// An access token in use.
struct AccessToken: Sendable {
    /// Tells tokens of a session apart.
    let number: Int
    let value: SecretBytes
    let needles: SecretNeedles

    /// `Authorization` with it.
    var header: OutboundRequest.Header {
        OutboundRequest.Header("authorization", SecretText([.text("Bearer "), .secret(value)]))
    }
}

/// The access token of one client at one server.
///
/// States: none → fetching (one at a time; all who come meanwhile wait for it) → good until shortly before it expires, or until an
/// upstream refuses it → fetching … A fetch that failed is answered again for a second, so that a server in trouble is left alone.
///
/// A refresh token that was replaced is stored before the new access token is used. When storing fails the new one waits here and is
/// stored before anything else: it is the only key left.
final class OAuthSession: Sendable {
    private enum Status {
        case none
        case fetching(Task<AccessToken, any Error>)
        case good(AccessToken, until: MonotonicTime)
        case failed(CallError, until: MonotonicTime)
    }

    private struct Unsaved {
        let old: SecretBytes
        let new: SecretBytes
    }

    private struct State {
        var status = Status.none
        /// The client as it is known now: with the refresh token of the last answer.
        var client: OAuthClient?
        /// Stored values that led here, so that calls which began with an earlier one are not taken for a change.
        var lineage: [SHA256Digest] = []
        var unsaved: Unsaved?
        var fetched = 0
        var refusedLast: MonotonicTime?
        /// Grows when an operator stores another value: what was fetched before does not count any more.
        var generation = 0
    }

    /// A token is not used in its last minute: it has to hold until the upstream looks at it.
    private static let skew = Duration.seconds(60)
    /// When the server does not say how long a token holds.
    private static let assumedLife = Duration.seconds(300)
    private static let failureHolds = Duration.seconds(1)
    /// An upstream that refuses fresh tokens as well does not make each call fetch one.
    private static let refusalPause = Duration.seconds(10)
    private static let maxLineage = 8

    private let state = Mutex(State())
    private let now: @Sendable () -> MonotonicTime
    private let persist: @Sendable (_ old: SecretBytes, _ new: SecretBytes) async throws -> Void

    init(
        now: @escaping @Sendable () -> MonotonicTime,
        persist: @escaping @Sendable (_ old: SecretBytes, _ new: SecretBytes) async throws -> Void
    ) {
        self.now = now
        self.persist = persist
    }

    typealias Fetch = @Sendable (OAuthClient) async throws -> TokenGrant

    /// - Returns: nil when `refused` was refused and another one would be too.
    func token(of client: OAuthClient, after refused: AccessToken?, _ fetch: @escaping Fetch) async throws -> AccessToken? {
        let now = now()
        enum Step {
            case use(AccessToken?)
            case wait(Task<AccessToken, any Error>)
            case fail(CallError)
        }
        let step = state.withLock { state -> Step in
            Self.adopt(client, &state)
            switch state.status {
            case .good(let token, let until) where now < until:
                guard let refused, refused.number == token.number else { return .use(token) }
                if let last = state.refusedLast, now - last < Self.refusalPause { return .use(nil) }
                state.refusedLast = now
            case .fetching(let task): return .wait(task)
            case .failed(let error, let until) where now < until: return .fail(error)
            case .none, .good, .failed: break
            }
            let generation = state.generation
            let task = Task(name: "access token") { try await self.renew(generation, fetch) }
            state.status = .fetching(task)
            return .wait(task)
        }
        switch step {
        case .use(let token): return token
        case .wait(let task): return try await task.value
        case .fail(let error): throw error
        }
    }

    /// Begins anew with a value that did not come from here.
    private static func adopt(_ client: OAuthClient, _ state: inout State) {
        let digest = client.digest
        guard !state.lineage.contains(digest) else { return }
        state.lineage = [digest]
        state.client = client
        state.status = .none
        state.unsaved = nil
        state.generation += 1
    }

    private func renew(_ generation: Int, _ fetch: Fetch) async throws -> AccessToken {
        do {
            try await save()
            guard let client = state.withLock({ $0.client }) else { preconditionFailure("bug: a session without client") }
            let grant = try await fetch(client)
            let asked = now()
            let token = take(grant, client, generation)
            try await save()
            let life = grant.life ?? Self.assumedLife
            settle(.good(token, until: asked + max(life - Self.skew, life / 2)), generation)
            return token
        } catch {
            let told =
                error as? CallError
                ?? CallError(
                    .unavailable, reason: "upstream_error", message: "no access token could be fetched", notProcessed: true)
            settle(.failed(told, until: now() + Self.failureHolds), generation)
            throw told
        }
    }

    private func settle(_ status: Status, _ generation: Int) {
        state.withLock { if $0.generation == generation { $0.status = status } }
    }

    /// Keeps what came, and what is to be stored of it.
    private func take(_ grant: TokenGrant, _ client: OAuthClient, _ generation: Int) -> AccessToken {
        state.withLock { state in
            state.fetched += 1
            if let next = grant.refreshToken, state.generation == generation {
                let new = client.rotated(to: next)
                if let rotated = OAuthClient(client.spec, new), rotated.digest != client.digest {
                    state.client = rotated
                    state.lineage = state.lineage.suffix(Self.maxLineage - 1) + [rotated.digest]
                    // What is stored is still the value before an earlier one that could not be stored.
                    state.unsaved = Unsaved(old: state.unsaved?.old ?? client.value, new: new)
                }
            }
            return AccessToken(number: state.fetched, value: grant.access, needles: client.needles(with: grant.access))
        }
    }

    private func save() async throws {
        guard let unsaved = state.withLock({ $0.unsaved }) else { return }
        try await persist(unsaved.old, unsaved.new)
        state.withLock { if $0.unsaved?.new === unsaved.new { $0.unsaved = nil } }
    }
}
