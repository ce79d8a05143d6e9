import BulkheadCore

/// The link's own failures. They have no `origin`, and a `reason` that begins with `link_` or is `breaker_open`: so they
/// differ from an UNAVAILABLE that a living peer answered with.
extension CallError {
    static let breakerOpenReason = "breaker_open"
    static let suspectReason = "link_\(LinkState.suspect.rawValue)"

    static func linkClosed(_ peer: String) -> CallError {
        CallError(.unavailable, reason: "link_closed", message: "the link to \(peer) was closed", notProcessed: true)
    }

    static func linkDown(_ peer: String, _ state: LinkState, _ lastError: String?) -> CallError {
        let cause = lastError.map { ": \($0)" } ?? ""
        return CallError(
            .unavailable, reason: "link_\(state.rawValue)",
            message: "\(peer) cannot be reached (link is \(state.rawValue))\(cause)",
            retryAfter: .seconds(1), notProcessed: true)
    }

    static func linkLost(_ peer: String, _ reason: String) -> CallError {
        CallError(
            .unavailable, reason: "link_lost", message: "the connection to \(peer) was lost during the call: \(reason)",
            retryAfter: .seconds(1))
    }

    static func breakerOpen(_ peer: String, _ retryAfter: Duration) -> CallError {
        CallError(
            .unavailable, reason: breakerOpenReason, message: "calls to \(peer) are suspended after failures; try again later",
            retryAfter: retryAfter, notProcessed: true)
    }

    static func full(_ peer: String) -> CallError {
        CallError(
            .resourceExhausted, reason: "link_full", message: "too many calls to \(peer) are in flight; try again later",
            retryAfter: .milliseconds(100), notProcessed: true)
    }

    static func memoryBudget(_ budget: MemoryBudget) -> CallError {
        CallError(
            .resourceExhausted, reason: "memory_budget",
            message: "messages that nobody has taken yet fill the \(budget.bytes >> 20) MiB set aside for them; try again later",
            retryAfter: .milliseconds(100), notProcessed: true)
    }

    static let metadataTooLong = CallError(
        .resourceExhausted, reason: "metadata_too_long",
        message: "request id and tenant may have 128 bytes each, the user 256; shorten them", notProcessed: true)
}
