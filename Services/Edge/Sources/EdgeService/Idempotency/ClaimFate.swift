import BulkheadAPI
import HTTPTypes

/// What becomes of an Idempotency-Key when its request ends. A request is never billed twice without its caller's wish: what a
/// provider may have run is answered again, or stays unknown; only what certainly did not run, or was refused, may run again.
///
/// | the request | the key |
/// | --- | --- |
/// | was not sent out, or not by the router | free |
/// | was answered by a provider: 2xx, or what a repetition would meet again | its answer is kept |
/// | was refused by a provider that answered (other 4xx, 5xx), or never reached one | free |
/// | was sent out, and no answer came, or half of one | unknown, at once |
/// | was answered with more than 4 MiB | that it ran is kept |
/// | streamed, to its end or not | what was streamed is kept |
/// | was cancelled by its client, that asked for it | that it was cancelled is kept |
enum ClaimFate: Sendable {
    /// This answer is given again.
    case keep(SessionAPI.StoredAnswer)
    /// That it ran is kept, and its answer, which is more than is kept, is not.
    case keepNothing(SessionAPI.StoredAnswer)
    /// The recorded stream is given again, under this head.
    case keepStream(StreamRecorder, head: SessionAPI.StoredAnswer, isIncomplete: Bool)
    /// The key is as if it had not been used.
    case release
    /// Nobody will learn what became of it; a claim that another has by now stays that one's.
    case unknown

    /// Statuses that the same request would meet again.
    static let lasting: Set<Int> = [400, 404, 410, 413, 415, 422]

    /// The fate of a request that failed before its answer began.
    static func after(_ failure: any Error, _ exchange: Exchange) -> ClaimFate {
        guard exchange.isDispatched else { return .release }
        if exchange.hasLostClaim { return .unknown }
        if failure is ClientLeft { return .keep(stored(IdempotencyRefusal.cancelled, exchange)) }
        guard let told = failure as? EdgeError else { return .unknown }
        if told.mayHaveRun { return .unknown }
        // What this suite refuses by itself never ran, and may be set right: a model's name, a policy.
        let isProviders = told.upstream.map { $0.attempts > 0 } ?? false
        return isProviders && lasting.contains(told.status) ? .keep(stored(told, exchange)) : .release
    }

    /// An error as it is given again.
    static func stored(_ error: EdgeError, _ exchange: Exchange) -> SessionAPI.StoredAnswer {
        stored(error.reply(exchange.shape, requestID: exchange.scope.id))
    }

    /// Headers of an answer that say something about it in a replay too.
    private static let kept: Set<String> = [
        "x-bulkhead-cache", "x-bulkhead-provider", "x-bulkhead-model", "x-bulkhead-attempts", "x-bulkhead-cost-usd",
    ]

    /// An answer as session keeps it.
    static func stored(_ answer: WholeReply) -> SessionAPI.StoredAnswer {
        SessionAPI.StoredAnswer(
            status: answer.status, contentType: answer.contentType, body: answer.body, headers: headers(answer.fields))
    }

    /// The fields that are kept, as `name: value`.
    static func headers(_ fields: HTTPFields) -> [String] {
        fields.filter { kept.contains($0.name.canonicalName) }.map { "\($0.name.canonicalName): \($0.value)" }
    }
}
