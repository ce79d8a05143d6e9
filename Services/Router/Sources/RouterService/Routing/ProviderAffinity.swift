import BulkheadAPI
import Synchronization

/// Remembers which provider made reasoning that only it can read, so that a conversation that brings it back goes there.
///
/// Keeps hashes, in memory, the last ones only; what is forgotten costs nothing but the preference.
package final class ProviderAffinity: Sendable {
    private struct State {
        var providers: [Int: String] = [:]
        /// The hashes in the order they came, as a ring.
        var ring: [Int] = []
        var next = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: signatures remembered.
    package init(capacity: Int = 16_384) { self.capacity = capacity }

    /// Notes the signatures of an answer.
    package func note(_ events: [ChatAPI.ChatEvent], by provider: String) {
        for event in events where event.kind == .signature || event.kind == .redactedThinking {
            if let signature = event.signature, !signature.isEmpty { note(signature, provider) }
        }
    }

    /// Who made the newest reasoning in a request; nil when there is none, or it is not known.
    package func provider(of chat: ChatAPI.ChatRequest) -> String? {
        for message in chat.messages.reversed() where message.role == .assistant {
            for part in message.parts.reversed() where part.kind == .thinking {
                guard let signature = part.signature, !signature.isEmpty else { continue }
                if let provider = state.withLock({ $0.providers[signature.hashValue] }) { return provider }
            }
        }
        return nil
    }

    private func note(_ signature: String, _ provider: String) {
        let hash = signature.hashValue
        state.withLock { state in
            guard state.providers.updateValue(provider, forKey: hash) == nil else { return }
            if state.ring.count < capacity {
                state.ring.append(hash)
            } else {
                state.providers[state.ring[state.next]] = nil
                state.ring[state.next] = hash
                state.next = (state.next + 1) % capacity
            }
        }
    }
}
