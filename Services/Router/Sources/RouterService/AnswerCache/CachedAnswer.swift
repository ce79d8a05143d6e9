import BulkheadAPI

/// Between an answer as it was served and as it is given again.
package enum CachedAnswer {
    /// Characters of one text event of a replay: streams come in pieces, as clients expect.
    private static let piece = 48
    /// Events of one message of a replayed stream.
    private static let batch = 256

    /// The answer from the cache: it made no try and costs nothing. Usage stays, so that clients see what the answer holds, with
    /// what it would have cost.
    /// - Parameter degraded: what was missing on the way here.
    package static func replay(
        _ events: [ChatAPI.ChatEvent], as outcome: ChatAPI.CacheOutcome, streaming: Bool, degraded: [String] = []
    ) -> [ChatAPI.ChatEvent] {
        events.flatMap { event -> [ChatAPI.ChatEvent] in
            var event = event
            switch event.kind {
            case .start:
                event.served?.attempts = 0
                event.served?.cache = outcome
                event.served?.degraded = degraded
            case .usage:
                let cost = event.usage?.costNanousd
                event.usage?.savedNanousd = cost
                event.usage?.costNanousd = 0
            case .text, .refusal, .thinking, .toolArguments:
                return streaming ? pieces(event) : [event]
            default: break
            }
            return [event]
        }
    }

    /// The events in messages of bounded size.
    package static func batches(_ events: [ChatAPI.ChatEvent]) -> [RouterAPI.CompleteReply] {
        stride(from: 0, to: events.count, by: batch).map { start in
            RouterAPI.CompleteReply(events: Array(events[start ..< min(start + batch, events.count)]))
        }
    }

    private static func pieces(_ event: ChatAPI.ChatEvent) -> [ChatAPI.ChatEvent] {
        guard event.text.utf8.count > piece else { return [event] }
        var pieces: [ChatAPI.ChatEvent] = []
        var rest = event.text[...]
        while !rest.isEmpty {
            var next = event
            next.text = String(rest.prefix(piece))
            // A block begins once.
            next.beginsBlock = event.beginsBlock && pieces.isEmpty
            pieces.append(next)
            rest = rest.dropFirst(piece)
        }
        return pieces
    }
}
