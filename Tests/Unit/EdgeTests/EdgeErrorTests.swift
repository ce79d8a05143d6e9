import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import EdgeService
import Testing

@Suite("Errors")
struct EdgeErrorTests {
    @Test(
        "Every reason has its status, code and advice",
        arguments: [
            (.invalidArgument, "invalid_request", 400, "invalid_request", false),
            (.invalidArgument, "context_length_exceeded", 400, "context_length_exceeded", false),
            (.invalidArgument, "unprocessable", 422, "unprocessable", false),
            (.resourceExhausted, "payload_too_large", 413, "payload_too_large", false),
            (.notFound, "model_not_found", 404, "model_not_found", false),
            (.notFound, "destination_unknown", 404, "destination_unknown", false),
            (.resourceExhausted, "rate_limited", 429, "rate_limit_exceeded", true),
            (.resourceExhausted, "insufficient_quota", 429, "insufficient_quota", false),
            (.unavailable, "upstream_error", 502, "upstream_error", true),
            (.unavailable, "breaker_open", 503, "breaker_open", true),
            (.failedPrecondition, "secret_missing", 503, "secret_missing", false),
            (.failedPrecondition, "upstream_auth", 502, "upstream_auth", false),
            (.permissionDenied, "destination_denied", 403, "destination_denied", false),
            (.deadlineExceeded, "upstream_timeout", 504, "upstream_timeout", true),
            (.deadlineExceeded, "", 504, "timeout", true), (.dataLoss, "stream_broken", 502, "stream_broken", true),
            (.internal, "", 500, "internal_error", true), (.unavailable, "", 503, "router_unavailable", true),
            (.unavailable, "link_down", 503, "router_unavailable", true), (.unauthenticated, "", 500, "internal_error", true),
        ] as [(StatusCode, String, Int, String, Bool)])
    func table(_ code: StatusCode, _ reason: String, _ status: Int, _ told: String, _ retry: Bool) {
        let error = EdgeError(CallError(code, reason: reason, message: "m"), from: .router)
        #expect(error.status == status && error.code == told && error.shouldRetry == retry)
    }

    @Test("What a link says about sockets is not passed on")
    func linksStayInside() {
        let error = EdgeError(
            CallError(.unavailable, reason: "link_down", message: "connect /run/secret/path: refused"), from: .router)
        #expect(!error.message.contains("/run"))
    }

    @Test("429 and 503 always say when to come back, in whole seconds of at least one")
    func retryHint() throws {
        #expect(try #require(EdgeError(.unavailable, message: "m").retryHint) == (1, 1000))
        #expect(try #require(EdgeError(.rateLimited, message: "m", retryAfter: .milliseconds(1201)).retryHint) == (2, 1201))
        #expect(try #require(EdgeError(.rateLimited, message: "m", retryAfter: .zero).retryHint) == (1, 1))
        #expect(EdgeError(.badRequest, message: "m").retryHint == nil)
    }

    @Test("A wait over a minute is told in full, and clients are told not to sit it out; that of an outage ends after a minute")
    func longWaits() throws {
        let minute = EdgeError(.rateLimited, message: "m", retryAfter: .seconds(60))
        #expect(try #require(minute.retryHint) == (60, 60_000) && minute.retryAdvice == true)
        let longer = EdgeError(.rateLimited, message: "m", retryAfter: .milliseconds(60_001))
        #expect(try #require(longer.retryHint) == (61, 60_001) && longer.retryAdvice == false)
        let breaker = EdgeError(.unavailable, code: "breaker_open", message: "m", retryAfter: .seconds(300))
        #expect(try #require(breaker.retryHint) == (60, 60_000))
        let endless = EdgeError(.rateLimited, message: "m", retryAfter: .seconds(Int64.max))
        #expect(try #require(endless.retryHint).seconds == 31_536_000, "nothing overflows")
    }

    @Test("Where clients retry by themselves they are told whether to: not when the router has made every try")
    func advice() throws {
        func advice(_ code: StatusCode, _ reason: String, _ detail: [UInt8] = []) -> Bool? {
            EdgeError(CallError(code, reason: reason, message: "m", detail: detail), from: .router).retryAdvice
        }
        let final = Array(try RouterAPI.FailureDetail(final: true, attempts: 4).encoded().readableBytesView)
        #expect(advice(.unavailable, "upstream_error") == true && advice(.unavailable, "upstream_error", final) == false)
        #expect(advice(.resourceExhausted, "rate_limited", final) == false)
        #expect(
            advice(.failedPrecondition, "upstream_auth") == false && advice(.resourceExhausted, "insufficient_quota") == false)
        #expect(advice(.unavailable, "breaker_open") == true && advice(.unavailable, "") == true)
        #expect(EdgeError(.overloaded, message: "m").retryAdvice == true)
        #expect(advice(.invalidArgument, "invalid_request") == nil && EdgeError(.notFound, message: "m").retryAdvice == nil)
    }

    @Test("The provider's own word for a mistake reaches the caller, if it looks like one")
    func providerCode() throws {
        func code(_ reason: String, _ word: String) throws -> String {
            let detail = Array(try RouterAPI.FailureDetail(providerCode: word).encoded().readableBytesView)
            return EdgeError(CallError(.invalidArgument, reason: reason, message: "m", detail: detail), from: .router).code
        }
        #expect(try code("invalid_request", "invalid_value") == "invalid_value")
        #expect(try code("invalid_request", "two words") == "invalid_request")
        #expect(try code("context_length_exceeded", "string_above_max_length") == "context_length_exceeded")
    }

    @Test("Each dialect gets its shape")
    func shapes() {
        let error = EdgeError(.notFound, code: "model_not_found", message: "no \"x\"", param: "model")
        #expect(
            String(buffer: error.body(.openAI, requestID: "r"))
                == #"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"model","code":"model_not_found"}}"#)
        #expect(
            String(buffer: error.body(.anthropic, requestID: "r"))
                == #"{"type":"error","error":{"type":"not_found_error","message":"model: no \"x\""},"request_id":"r"}"#)
        #expect(
            String(buffer: error.body(.problem, requestID: "r"))
                == #"{"type":"about:blank","title":"invalid_request_error","status":404,"detail":"no \"x\"","code":"model_not_found","request_id":"r"}"#
        )
    }

    @Test("Broken JSON says what kind of thing is wrong and quotes nothing")
    func brokenJSON() {
        #expect { try RequestJSON.parse(.init(string: "{\"secret\":")) } throws: { error in
            guard let error = error as? EdgeError else { return false }
            return error.status == 400 && error.code == "invalid_json" && !error.message.contains("secret")
        }
    }
}
