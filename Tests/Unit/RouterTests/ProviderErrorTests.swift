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
                400, #"{"error":{"message":"x","code":"context_length_exceeded"}}"#, .callersMistake, .invalidArgument,
                "context_length_exceeded"
            ),
            (
                400, #"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens"}}"#,
                .callersMistake, .invalidArgument, "context_length_exceeded"
            ),
            (
                400, #"{"error":{"message":"x","code":"content_policy_violation"}}"#, .callersMistake, .invalidArgument,
                "content_policy_violation"
            ),
            (
                400, #"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#, .refused,
                .resourceExhausted, "insufficient_quota"
            ),
            (401, "{}", .refused, .failedPrecondition, "upstream_auth"),
            (402, "{}", .refused, .resourceExhausted, "insufficient_quota"),
            (403, "{}", .refused, .failedPrecondition, "upstream_auth"),
            (404, "{}", .callersMistake, .notFound, "upstream_not_found"),
            (408, "{}", .transient, .deadlineExceeded, "upstream_timeout"),
            (409, "{}", .transient, .unavailable, "upstream_error"),
            (413, "{}", .callersMistake, .resourceExhausted, "payload_too_large"),
            (422, "{}", .callersMistake, .invalidArgument, "unprocessable"),
            (429, "{}", .transient, .resourceExhausted, "rate_limited"),
            (429, #"{"error":{"code":"insufficient_quota"}}"#, .refused, .resourceExhausted, "insufficient_quota"),
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
