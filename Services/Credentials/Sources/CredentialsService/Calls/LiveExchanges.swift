import BulkheadCore
import Synchronization

/// The calls under way that use a secret, so that `revoke --now` can end them. As many as calls are admitted at most.
final class LiveExchanges: Sendable {
    private struct State {
        var last: UInt64 = 0
        var cuts: [String: [UInt64: @Sendable () -> Void]] = [:]
    }

    private let state = Mutex(State())

    /// Takes a call in.
    /// - Parameter cut: ends it; may be called at any time, from any thread.
    /// - Returns: what `leave` takes.
    func enter(_ secret: String, cut: @escaping @Sendable () -> Void) -> UInt64 {
        state.withLock { state in
            state.last += 1
            state.cuts[secret, default: [:]][state.last] = cut
            return state.last
        }
    }

    /// Lets a call go.
    func leave(_ secret: String, _ ticket: UInt64) {
        state.withLock { state in
            state.cuts[secret]?[ticket] = nil
            if state.cuts[secret]?.isEmpty == true { state.cuts[secret] = nil }
        }
    }

    /// Ends all calls that use a secret.
    /// - Returns: how many there were.
    func cut(_ secret: String) -> Int {
        let cuts = state.withLock { state in state.cuts[secret].map { Array($0.values) } ?? [] }
        for cut in cuts { cut() }
        return cuts.count
    }
}

extension CallService {
    /// Takes a call in that is about to go out, so that it can be ended from outside.
    /// - Throws: why its secret cannot be used any more: what was revoked since the decision was made has looked for this call
    ///   in vain.
    func enter(_ exchange: Exchange) throws(CallError) -> UInt64? {
        let configuration = exchange.destination.configuration
        guard let secret = configuration.secret else { return nil }
        let ticket = live.enter(secret, cut: exchange.cut)
        do throws(CallError) {
            if case .unusable(let error) = try current.table.find(configuration.name).secret { throw error }
        } catch {
            live.leave(secret, ticket)
            throw error
        }
        return ticket
    }

    /// Lets a call go.
    func leave(_ exchange: Exchange, _ ticket: UInt64?) {
        guard let ticket, let secret = exchange.destination.configuration.secret else { return }
        live.leave(secret, ticket)
    }
}
