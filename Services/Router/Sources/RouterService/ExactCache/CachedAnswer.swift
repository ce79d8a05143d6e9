import BulkheadAPI

/// Between an answer as it was served and as it is given again.
package enum CachedAnswer {
    /// Characters of one text event of a replay: streams come in pieces, as clients expect.
    private static let piece = 48

    /// Whether the events are a whole answer: only those are kept.
    package static func isWhole(_ events: [ChatAPI.ChatEvent]) -> Bool {
        events.first?.kind == .start && events.last?.kind == .usage && events.contains { $0.kind == .finish }
    }

    /// The answer from the cache: it made no try and costs nothing. Usage stays, so that clients see what the answer holds.
    package static func replay(_ events: [ChatAPI.ChatEvent], streaming: Bool) -> [ChatAPI.ChatEvent] {
        events.flatMap { event -> [ChatAPI.ChatEvent] in
            var event = event
            switch event.kind {
            case .start:
                event.served?.attempts = 0
                event.served?.cache = .exact
                event.served?.degraded = []
            case .usage:
                event.usage?.costNanousd = 0
            case .text where streaming:
                return pieces(event)
            default: break
            }
            return [event]
        }
    }

    private static func pieces(_ event: ChatAPI.ChatEvent) -> [ChatAPI.ChatEvent] {
        var pieces: [ChatAPI.ChatEvent] = []
        var rest = event.text[...]
        while !rest.isEmpty {
            var next = event
            next.text = String(rest.prefix(piece))
            pieces.append(next)
            rest = rest.dropFirst(piece)
        }
        return pieces
    }
}
