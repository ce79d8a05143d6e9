import BulkheadAPI

/// What a request may do with the cache.
package struct CacheUse: Sendable, Equatable {
    package let looks: Bool
    package let keeps: Bool
    /// What is told of it when the answer comes from a provider.
    package let outcome: ChatAPI.CacheOutcome

    /// `no-store` neither keeps the answer nor takes a kept one: who says so wants this request to leave no trace in the cache,
    /// hits included.
    package init(_ policy: RouterAPI.CachePolicy, _ configuration: AnswerCacheConfiguration.Exact, _ chat: ChatAPI.ChatRequest) {
        let covers = configuration.covers(chat) && policy != .off
        looks = covers && (policy == .default || policy == .unspecified)
        keeps = covers && policy != .noStore
        outcome = covers ? .miss : .off
    }
}

extension AnswerCacheConfiguration.Exact {
    /// Whether the answer to `chat` may come from the cache and go there. Never where tools are offered: their calls act.
    package func covers(_ chat: ChatAPI.ChatRequest) -> Bool {
        guard chat.tools.isEmpty else { return false }
        switch when {
        case .off: return false
        case .always: return true
        case .deterministic: return chat.temperature == 0 || chat.seed != nil
        }
    }
}

/// Says no to an answer that is not to be kept, in the words of the metric that counts it; nil has nothing against it.
package struct KeepingRule: Sendable {
    package let objection: @Sendable (_ chat: ChatAPI.ChatRequest, _ answer: [ChatAPI.ChatEvent]) -> String?

    package init(_ objection: @escaping @Sendable (ChatAPI.ChatRequest, [ChatAPI.ChatEvent]) -> String?) {
        self.objection = objection
    }
}

extension KeepingRule {
    /// The rules of the router itself. Guardrails that judge contents (personal data) are further rules of the same kind.
    package static let own = [whole, unblocked, undegraded]

    /// An answer from its START to its USAGE, every choice with its end.
    package static let whole = KeepingRule { chat, answer in
        let started = Set(answer.filter { $0.kind != .start && $0.kind != .usage }.map(\.choice))
        let ended = Set(answer.filter { $0.kind == .finish }.map(\.choice))
        let isWhole =
            answer.first?.kind == .start && answer.last?.kind == .usage && ended == started
            && ended.count >= max(1, chat.choices ?? 1)
        return isWhole ? nil : "incomplete"
    }

    /// Nothing a filter cut short, and nothing that goes on when it is sent back.
    package static let unblocked = KeepingRule { _, answer in
        let ends = answer.lazy.filter { $0.kind == .finish }.map(\.finish)
        if ends.contains(.contentFilter) { return "blocked" }
        return ends.contains { $0 == .pause || $0 == .unspecified } ? "incomplete" : nil
    }

    /// Nothing that was made without a part of the suite, or by a stand-in. Which store keeps it says nothing about it.
    package static let undegraded = KeepingRule { _, answer in
        answer.first?.served?.degraded.contains { $0 != AnswerCache.redisName } == true ? "degraded" : nil
    }
}
