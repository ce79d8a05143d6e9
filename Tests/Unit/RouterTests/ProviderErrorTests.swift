import BulkheadAPI
import BulkheadCore
import NIOCore
import RouterService
import Testing

struct ProviderErrorTests {
    private let target = Target(provider: "p", destination: "d", dialect: .openai, model: "m")

    private func failure(_ status: Int, _ body: String, _ headers: [CredentialsAPI.Header] = []) -> TargetFailure {
        ProviderError(status: status, headers: headers, body: ByteBuffer(string: body)).failure(target)
    }

    @Test(
        "every status has its class, reason and code",
        arguments: [
            (400, "{}", TargetFailure.Kind.callersMistake, StatusCode.invalidArgument, "invalid_request"),
            (
                400, #"{"error":{"message":"x","code":"context_length_exceeded"}}"#, .tooLong, .invalidArgument,
                "context_length_exceeded"
            ),
            (
                400, #"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens"}}"#,
                .tooLong, .invalidArgument, "context_length_exceeded"
            ),
            (
                400, #"{"error":{"message":"x","code":"content_policy_violation"}}"#, .callersMistake, .invalidArgument,
                "content_policy_violation"
            ),
            (
                400, #"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#, .outOfQuota,
                .resourceExhausted, "insufficient_quota"
            ),
            (401, "{}", .badCredential, .failedPrecondition, "upstream_auth"),
            (402, "{}", .outOfQuota, .resourceExhausted, "insufficient_quota"),
            (403, "{}", .refused, .failedPrecondition, "upstream_auth"),
            (404, "{}", .callersMistake, .notFound, "upstream_not_found"),
            (408, "{}", .transient, .deadlineExceeded, "upstream_timeout"),
            (409, "{}", .transient, .unavailable, "upstream_error"),
            (413, "{}", .callersMistake, .resourceExhausted, "payload_too_large"),
            (422, "{}", .callersMistake, .invalidArgument, "unprocessable"),
            (429, "{}", .transient, .resourceExhausted, "rate_limited"),
            (429, #"{"error":{"code":"insufficient_quota"}}"#, .outOfQuota, .resourceExhausted, "insufficient_quota"),
            (500, "<html>", .transient, .unavailable, "upstream_error"), (503, "", .transient, .unavailable, "upstream_error"),
            (504, "", .transient, .deadlineExceeded, "upstream_timeout"), (529, "{}", .transient, .unavailable, "upstream_error"),
            (302, "", .broken, .unavailable, "upstream_error"),
        ] as [(Int, String, TargetFailure.Kind, StatusCode, String)])
    func table(status: Int, body: String, kind: TargetFailure.Kind, code: StatusCode, reason: String) {
        let failure = failure(status, body)
        #expect(failure.kind == kind)
        #expect(failure.error.code == code)
        #expect(failure.error.reason == reason)
    }

    @Test("the provider's words reach the caller on one line and cut")
    func message() {
        #expect(
            failure(400, #"{"error":{"message":"temperature must\nbe at most 2"}}"#).error.message
                == "temperature must be at most 2")
        let long = failure(400, #"{"error":{"message":"\#(String(repeating: "x", count: 9000))"}}"#).error.message
        #expect(long.count == ProviderError.maxMessage + 1)
        #expect(!failure(503, "<html>upstream connect error</html>").error.message.contains("html"))
    }

    @Test("words about a refused secret stay here: providers quote the key")
    func refusedSecret() {
        let words = #"{"error":{"message":"Incorrect API key provided: sk-abc***xyz"}}"#
        #expect(!failure(401, words).error.message.contains("sk-abc"))
    }

    @Test("an empty account counts against the target, a refused secret does not")
    func outcomes() {
        #expect(failure(429, #"{"error":{"code":"insufficient_quota"}}"#).outcome == .failure)
        #expect(failure(401, "{}").outcome == .neutral)
        #expect(failure(400, "{}").outcome == .success)
    }

    @Test(
        "Retry-After is read in milliseconds first, then seconds, then as a date",
        arguments: [
            ([("Retry-After-Ms", "700"), ("retry-after", "30")], Duration.milliseconds(700)),
            ([("retry-after", "1.5")], .milliseconds(1500)),
            ([("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], .seconds(37)),
            ([("retry-after", "Sun, 06 Nov 1994 08:48:00 GMT")], .zero),
            ([("retry-after", "soon")], nil), ([("retry-after", "-1")], nil), ([], nil),
        ] as [([(String, String)], Duration?)])
    func retryAfter(headers: [(String, String)], wait: Duration?) {
        let headers = headers.map { CredentialsAPI.Header(name: $0.0, value: $0.1) }
        #expect(RetryAfter.parse(headers, now: 784_111_740) == wait)
    }

    private static let long = "context_length_exceeded"

    @Test(
        "errors of all providers have the class of what they mean",
        arguments: [
            (
                400,
                #"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
                long
            ),
            (400, #"{"message":"Input is too long for requested model."}"#, long),
            (
                400,
                #"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 9 + 9 > 10"}}"#,
                long
            ),
            (
                400,
                #"{"error":{"message":"This model's maximum context length is 9 tokens.","type":"BadRequestError","code":400}}"#,
                long
            ),
            (
                413,
                #"{"error":{"message":"Request too large for model x on tokens per minute (TPM)","code":"rate_limit_exceeded"}}"#,
                "rate_limited"
            ),
            (
                400,
                #"[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#,
                "upstream_auth"
            ),
            (
                429,
                #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota","details":[{"violations":[{"quotaId":"RequestsPerDayPerProject"}]}]}}"#,
                "insufficient_quota"
            ),
            (
                429, #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota"}}"#,
                "rate_limited"
            ),
            (429, #"{"message":"Too many tokens per day, please wait before trying again."}"#, "insufficient_quota"),
            (424, #"{"message":"The model failed."}"#, "upstream_error"), (408, #"{"message":"x"}"#, "upstream_timeout"),
            (
                400,
                #"{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy."}}"#,
                "content_policy_violation"
            ),
            (
                400,
                #"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}"#,
                "content_policy_violation"
            ),
            (400, #"{"error":{"code":"invalid_prompt","message":"x"}}"#, "content_policy_violation"),
            (400, #"{"error":"registry.ollama.ai/library/x does not support tools"}"#, "invalid_request"),
            (404, #"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#, "upstream_not_found"),
            (400, #"{"message":"The provided model identifier is invalid."}"#, "upstream_not_found"),
        ] as [(Int, String, String)])
    func providers(status: Int, body: String, reason: String) {
        #expect(failure(status, body).error.reason == reason)
    }

    @Test("a model that the provider does not have is told at once: asking on would hide a wrong configuration")
    func unknownModel() {
        let known = failure(404, #"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}"#)
        #expect(known.kind == .callersMistake && known.error.code == .notFound)
    }

    @Test("Bedrock names the exception in a header, and the wait of Gemini stands in the body")
    func elsewhere() {
        let throttled = failure(
            429, #"{"message":"x"}"#, [.init(name: "x-amzn-ErrorType", value: "ThrottlingException:http://a/b")])
        #expect(throttled.providerCode == "ThrottlingException")
        let gemini = failure(429, #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"34.5s"}]}}"#)
        #expect(gemini.error.retryAfter == .milliseconds(34_500))
    }

    @Test("the whole error is kept for the operator: one line, keys masked, at most 8 KiB")
    func detail() {
        let filler = String(repeating: "y", count: 20_000)
        let kept = failure(
            500,
            "{\"error\":{\"message\":\"bad\nkey sk-proj-abcdefgh12345678\",\"filler\":\"\(filler)\"}}".replacing(
                "\n", with: "\\n")
        ).fullText
        #expect(kept.contains("sk-pro…") && !kept.contains("abcdefgh12345678"))
        #expect(kept.utf8.count <= ProviderError.maxDetail + 8)
        #expect(failure(502, "<html>\nBad gateway</html>").fullText == "<html> Bad gateway</html>")
    }

    @Test("keys in a provider's words do not reach the caller")
    func maskedMessage() {
        let message = failure(400, #"{"error":{"message":"unknown key AIzaSyA1234567890abcdefg in request"}}"#).error.message
        #expect(message == "unknown key AIzaSy… in request")
    }

    @Test("errors inside a stream have the class of the status they would have had")
    func inStream() throws {
        let overloaded = ProviderError(inStream: [
            "type": "error", "error": ["type": "overloaded_error", "message": "Overloaded"],
        ])
        #expect(overloaded.failure(target).kind == .transient)
        let unknown = ProviderError(inStream: ["error": ["message": "x", "type": "server_error"]])
        #expect(unknown.failure(target).error.reason == "upstream_error")
    }
}
