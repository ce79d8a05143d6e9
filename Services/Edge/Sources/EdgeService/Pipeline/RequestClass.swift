/// What a request is worth when there is no room for all: the lowest gives way first.
package enum RequestClass: Int, Sendable, CaseIterable, Comparable {
    /// Jobs nobody waits for.
    case background
    /// Embeddings, moderations, counts of tokens: many, and soon asked again.
    case bulk
    /// The credential proxy, and lists.
    case calls
    /// Somebody waits for the answer.
    case chat

    /// The part of all places that this class and those below it may hold together, in percent.
    private var share: Int {
        switch self {
        case .background: 50
        case .bulk: 80
        case .calls, .chat: 100
        }
    }

    /// Of so many places those this class and the ones below it may hold together; at least one.
    func places(of all: Int) -> Int { max(1, all * share / 100) }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension Endpoint {
    /// What a request to it is worth.
    var requestClass: RequestClass {
        switch self {
        case .chat, .responses, .messages: .chat
        case .countTokens, .embeddings, .moderations: .bulk
        case .models, .model, .proxy, .call, .destinations, .health, .ready, .metrics, .contract: .calls
        }
    }
}
