import BulkheadAPI

/// A provider's own word for why its answer ended, where nobody here knows it: in canonical form such an answer just stopped.
enum FinishWord {
    private static let longest = 64
    /// What the dialects and the servers compatible with them call an ordinary end.
    private static let ordinary: Set<String> = [
        "", "stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "done",
    ]

    /// nil for a word that is known, and for one that is none.
    static func unknown(_ event: ChatAPI.ChatEvent) -> String? {
        guard event.kind == .finish, event.finish == .stop || event.finish == .unspecified, let raw = event.rawFinish,
            raw.utf8.count <= longest, !ordinary.contains(raw)
        else { return nil }
        return raw
    }
}
