import BulkheadJSON

/// The rules of the header Idempotency-Key as `/openapi.json` publishes them.
enum IdempotencyDocument {
    /// Names of components.
    static let parameters = ["IdempotencyKey", "OnUnknown", "LastEventID"]

    /// What the tag says.
    static let text =
        "A request with an Idempotency-Key runs once. *Format*: 1 to 255 visible ASCII characters, as a String of RFC 8941 "
        + "(parameters are ignored) or bare; a UUID serves well. *Scope*: the tenant and user of the API key (or the tenant, as this "
        + "server is configured); the same request is the same method, route, query, body by its JSON values, anthropic-version, "
        + "anthropic-beta and openai-beta. *Expiry*: by default 24 hours after the answer was complete; a running request does not "
        + "expire. *Replays* have the status, body and content type of the first answer, `Idempotent-Replayed: true` and its id in "
        + "`x-bulkhead-original-request-id`. *Streams*: each event has an id, and a replay is the same events; with `Last-Event-ID` "
        + "a client goes on where it left, also while the stream still runs. The request goes on when its client leaves, unless the "
        + "body says `bulkhead: {on_disconnect: cancel}`. What was refused before it ran leaves the key free."

    private static let responses = [
        (
            "400",
            "`idempotency_key_invalid`, `last_event_id_invalid`, or `idempotency_key_required` where the route demands a key; or "
                + "another mistake."
        ),
        (
            "409",
            "`idempotency_key_running`: ask again after `Retry-After`. `outcome_unknown`: sent out, and nobody knows what became of it. "
                + "`response_not_retained`: it ran, and its answer is more than is kept. `request_cancelled`: by its client, before the answer began "
                + "(a stream that had begun is given again, and ends in an error event of this code)."
        ),
        ("410", "`stream_gone`: Last-Event-ID names an earlier run of the stream."),
        ("422", "`idempotency_key_reused`: the key belongs to another request; or the body cannot be processed."),
    ]

    /// The members of `responses` that tell of keys.
    static func writeResponses(to writer: inout JSONWriter) {
        for (status, text) in responses { writer.object(status) { $0.field("description", text) } }
    }
}
