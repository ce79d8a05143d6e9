import BulkheadAPI
import BulkheadCore

/// What a client is told whose Idempotency-Key is not run.
enum IdempotencyRefusal {
    /// Where the rules of the header are published.
    static let documentation = "/openapi.json#idempotency"
    /// Session's word; without one the client comes back shortly.
    private static let usualWait = Duration.seconds(1)

    /// nil for a verdict on something else.
    static func error(_ reply: SessionAPI.AdmitReply) -> EdgeError? {
        switch reply.verdict {
        case .idempotencyMismatch: mismatch
        case .idempotencyRunning: running(reply.retryAfterMS, reply.reason)
        case .outcomeUnknown: unknown(reply)
        case .notRetained: notRetained(reply.responseID)
        case .streamGone: streamGone
        default: nil
        }
    }

    static var required: EdgeError {
        made(
            .badRequest, "idempotency_key_required",
            "This route needs an Idempotency-Key header: a name for the request, e.g. a UUID.")
    }

    private static var mismatch: EdgeError {
        made(
            .unprocessable, "idempotency_key_reused",
            "The Idempotency-Key was used before with another request. Use a new key for a new request.")
    }

    /// - Parameters:
    ///   - milliseconds: until it is worth asking again; 0: not told.
    ///   - known: what session knows of the first request, in whole sentences; empty: not told.
    static func running(_ milliseconds: Int = 0, _ known: String = "") -> EdgeError {
        made(
            .conflict, "idempotency_key_running",
            known.isEmpty ? "The first request with this Idempotency-Key still runs. Ask again shortly for its answer." : known,
            retryAfter: milliseconds > 0 ? .milliseconds(milliseconds) : usualWait)
    }

    private static func unknown(_ reply: SessionAPI.AdmitReply) -> EdgeError {
        let known =
            reply.reason.isEmpty
            ? "The first request with this Idempotency-Key was sent out, and nobody knows what became of it." : reply.reason
        var error = made(
            .conflict, "outcome_unknown",
            known
                + " It is not run again by itself. Find out whether it took effect; then send Bulkhead-On-Unknown: retry to run it "
                + "once more, or a new Idempotency-Key for a new request.")
        error.originalRequestID = reply.responseID
        return error
    }

    private static func notRetained(_ requestID: String) -> EdgeError {
        var error = made(
            .conflict, "response_not_retained",
            "The first request with this Idempotency-Key\(requestID.isEmpty ? "" : ", \(requestID),") was answered with more than is "
                + "kept; it is not run again.")
        error.originalRequestID = requestID
        return error
    }

    private static var streamGone: EdgeError {
        made(
            .gone, "stream_gone",
            "Last-Event-ID names a place in an earlier run of this stream, or beyond its end: it is not there. Ask without it for the stream from its begin."
        )
    }

    /// Last-Event-ID is none that any stream has.
    static var placeInvalid: EdgeError {
        made(
            .badRequest, "last_event_id_invalid",
            "Last-Event-ID is the id of no event: expected the id of the last event received, as it stood there "
                + "(<stream>.<run>.<number>), or its number alone; 0 is the begin of the stream.")
    }

    /// Last-Event-ID came alone.
    static var placeWithoutKey: EdgeError {
        made(
            .badRequest, "last_event_id_invalid",
            "Last-Event-ID goes with the Idempotency-Key of the request whose stream it is: send both, or neither to run it anew."
        )
    }

    /// The answer kept for a request that its client ended.
    static var cancelled: EdgeError {
        made(
            .conflict, "request_cancelled",
            "The first request with this Idempotency-Key was cancelled when its client left, as it had asked. It is not run again."
        )
    }

    static func sessionAway(_ retryAfter: Duration?) -> EdgeError {
        EdgeError(
            .unavailable, code: "session_unavailable",
            message:
                "The service session is not available at the moment, so a request with an Idempotency-Key cannot be run exactly once. Try again shortly.",
            retryAfter: retryAfter
        ).without(.session)
    }

    private static func made(_ kind: ErrorClass, _ code: String, _ message: String, retryAfter: Duration? = nil) -> EdgeError {
        var error = EdgeError(kind, code: code, message: message, retryAfter: retryAfter, shouldRetry: retryAfter != nil)
        error.documentation = documentation
        return error
    }
}
