import BulkheadAPI
import BulkheadJSON
import EdgeService
import HTTPTypes
import Testing

@Suite("Limits as clients see them")
struct LimitHeaderTests {
    private func reply(
        _ verdict: SessionAPI.Verdict = .admitted, retryAfterMS: Int = 0, key: String = "k"
    ) -> SessionAPI.AdmitReply {
        SessionAPI.AdmitReply(
            verdict: verdict, keyID: key, tenant: "acme", user: "anna",
            requests: .init(limit: 600, remaining: 599, resetMS: 1000, retryAfterMS: retryAfterMS, scope: "user"),
            tokens: .init(limit: 200_000, remaining: 150_000, resetMS: 15_000, scope: "tenant"),
            concurrency: .init(limit: 32, remaining: 31, scope: "key"))
    }

    private func fields(_ reply: SessionAPI.AdmitReply, _ shape: ErrorShape = .openAI) -> [String: String] {
        var fields = HTTPFields()
        AnswerFields.addLimits(CallerLimits(reply), shape, to: &fields)
        return Dictionary(fields.map { ($0.name.canonicalName, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// The items of a structured list: name and parameters.
    private func items(_ text: String?) -> [(name: String, parameters: [String: String])] {
        (text ?? "").split(separator: ",").map { item in
            let parts = item.split(separator: ";").map { $0.trimmingPrefix { $0 == " " } }
            let pairs = parts.dropFirst().map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
            return (String(parts[0].dropFirst().dropLast()), Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) }))
        }
    }

    @Test("RL01, RL02: policies have a quota, a window in seconds and a unit; places at once have no window")
    func policy() {
        let found = items(fields(reply())["ratelimit-policy"])
        #expect(found.map(\.name) == ["user-requests", "tenant-tokens", "key-concurrency"])
        #expect(found.map { $0.parameters["q"] } == ["600", "200000", "32"])
        #expect(found.map { $0.parameters["w"] } == ["60", "60", nil])
        #expect(found.map { $0.parameters["qu"] } == ["\"requests\"", "\"bulkhead-tokens\"", "\"concurrent-requests\""])
    }

    @Test("RL03, RL05: what is left goes by the same names, and until when by whole seconds from now")
    func state() {
        let told = fields(reply())
        let found = items(told["ratelimit"])
        #expect(found.map(\.name) == items(told["ratelimit-policy"]).map(\.name))
        #expect(found.map { $0.parameters["r"] } == ["599", "150000", "31"])
        let seconds = found.map { $0.parameters["t"].flatMap { Int($0) } }
        #expect((1 ... 2).contains(seconds[0] ?? 0) && (15 ... 18).contains(seconds[1] ?? 0) && seconds[2] == nil)
        #expect(told == fields(reply()), "the same caller is told the same")
    }

    @Test("RL10: callers refused together are told different times, none of them too early")
    func spread() {
        let waits = (0 ..< 1000).map { CallerLimits(reply(key: "k\($0)")).told(60_000) }
        #expect(waits.allSatisfy { (60_000 ... 72_000).contains($0) })
        let seconds = Dictionary(grouping: waits) { $0 / 1000 }
        #expect(seconds.count >= 10 && seconds.values.allSatisfy { $0.count < 200 })
    }

    @Test("RL12: whose limit it is stands there as a hash alone")
    func partition() {
        let told = fields(reply())
        let mine = items(told["ratelimit-policy"]).map { $0.parameters["pk"] ?? "" }
        #expect(mine.allSatisfy { $0.count == 10 && $0.first == ":" && $0.last == ":" } && Set(mine).count == 3)
        #expect(mine == items(told["ratelimit"]).map { $0.parameters["pk"] ?? "" })
        let other = items(fields(reply(key: "other"))["ratelimit-policy"]).map { $0.parameters["pk"] ?? "" }
        #expect(other[0] == mine[0] && other[1] == mine[1] && other[2] != mine[2])
        #expect(!told.values.joined().contains("anna") && !told.values.joined().contains("acme"))
    }

    @Test("RL06: a refusal's wait is not shorter than the reset of the limit that refused")
    func retryAfter() throws {
        for wait in [1, 400, 1000, 12_345, 59_999, 60_000, 300_000, 3 * 3_600_000] {
            let refused = reply(.rateLimited, retryAfterMS: wait)
            let limits = CallerLimits(refused)
            let hint = try #require(limits.refusal(refused).retryHint)
            let reset = try #require(items(fields(refused)["ratelimit"])[0].parameters["t"].flatMap { Int($0) })
            #expect(hint.seconds >= reset && hint.milliseconds >= wait && hint.seconds == (hint.milliseconds + 999) / 1000)
        }
    }

    @Test("RL06: of a budget too, be it spent or only reserved by requests that run")
    func budgetRetryAfter() throws {
        for wait in [1_000, 5 * 3_600_000] {
            var refused = SessionAPI.AdmitReply(verdict: .budgetExceeded, keyID: "k", tenant: "t", retryAfterMS: wait)
            refused.budget = .init(limit: 5_000_000_000, resetMS: 5 * 3_600_000, windowMS: 86_400_000, scope: "key")
            let error = CallerLimits(refused).refusal(refused)
            let hint = try #require(error.retryHint)
            let reset = try #require(items(fields(refused)["ratelimit"])[0].parameters["t"].flatMap { Int($0) })
            #expect(hint.seconds == reset && hint.milliseconds >= wait && hint.milliseconds <= wait * 6 / 5)
            #expect(error.retryAdvice == (wait <= 60_000), "a wait of hours is not to be sat out")
        }
    }

    @Test("RL09: of a long window no more is told to be left than ten times the even pace")
    func longWindow() {
        func left(_ resetMS: Int) -> Int? {
            var told = SessionAPI.AdmitReply(verdict: .admitted, keyID: "k", tenant: "t")
            told.budget = .init(
                limit: 86_400_000_000_000, remaining: 86_400_000_000_000, resetMS: resetMS, windowMS: 86_400_000, scope: "key")
            return items(fields(told)["ratelimit"])[0].parameters["r"].flatMap { Int($0) }
        }
        // 86 400 dollars a day are a dollar a second; micro-dollars.
        #expect(left(86_400_000) == 86_400_000_000)
        #expect(left(0) == 600_000_000)
    }

    @Test("RL13: the older forms say the same, in the dialect of the route alone")
    func dialects() throws {
        let openAI = fields(reply())
        #expect(openAI["x-ratelimit-limit-requests"] == "600" && openAI["x-ratelimit-remaining-requests"] == "599")
        #expect(openAI["x-ratelimit-remaining-tokens"] == "150000")
        #expect(
            try #require(openAI["x-ratelimit-reset-tokens"]).hasSuffix("s") && openAI["anthropic-ratelimit-tokens-limit"] == nil)
        let anthropic = fields(reply(), .anthropic)
        #expect(anthropic["anthropic-ratelimit-tokens-remaining"] == "150000" && anthropic["x-ratelimit-limit-tokens"] == nil)
        #expect(try #require(anthropic["anthropic-ratelimit-requests-reset"]).hasSuffix("Z"))
        #expect(fields(reply(), .problem).count == 2)
        #expect(fields(SessionAPI.AdmitReply(keyID: "k", requests: .init())).isEmpty, "no limit, no header")
    }

    @Test("RL08: a redirect says nothing of limits, and a destination's own word stays")
    func relayed() {
        func told(_ status: Int, _ before: HTTPFields = HTTPFields()) -> HTTPFields {
            var fields = before
            AnswerFields.addLimits(CallerLimits(reply()), relayed: status, to: &fields)
            return fields
        }
        #expect(told(200).count == 2 && told(404).count == 2 && told(302).isEmpty)
        var own = HTTPFields()
        if let name = HTTPField.Name("RateLimit") { own[name] = "\"x\";r=1" }
        #expect(told(200, own) == own)
    }

    @Test(
        "Durations are written as OpenAI does",
        arguments: [
            (0, "0ms"), (120, "120ms"), (1000, "1s"), (8640, "8.64s"), (8601, "8.601s"), (360_000, "6m0s"),
            (3_661_500, "1h1m1.5s"),
        ])
    func durations(_ milliseconds: Int, _ text: String) { #expect(AnswerFields.duration(milliseconds) == text) }
}

@Suite("Refusals by limits and budgets")
struct LimitRefusalTests {
    private func refusal(_ verdict: SessionAPI.Verdict, _ change: (inout SessionAPI.AdmitReply) -> Void = { _ in }) -> EdgeError {
        var reply = SessionAPI.AdmitReply(verdict: verdict, keyID: "k", tenant: "t")
        change(&reply)
        return CallerLimits(reply).refusal(reply)
    }

    @Test(
        "Every verdict has its status, code, type and advice",
        arguments: [
            (.rateLimited, 429, "rate_limit_exceeded", "rate_limit_error", true),
            (.budgetExceeded, 429, "budget_exceeded", "insufficient_quota", false),
            (.spendFrozen, 429, "spend_frozen", "insufficient_quota", false),
            (.runaway, 429, "runaway", "rate_limit_error", false),
            (.tenantBlocked, 403, "tenant_blocked", "permission_error", nil),
            (.scopeRefused, 403, "scope_not_allowed", "permission_error", nil),
            (.costAboveLimit, 400, "cost_above_limit", "invalid_request_error", nil),
        ] as [(SessionAPI.Verdict, Int, String, String, Bool?)])
    func table(_ verdict: SessionAPI.Verdict, _ status: Int, _ code: String, _ type: String, _ advice: Bool?) {
        let error = refusal(verdict)
        #expect(error.status == status && error.code == code && error.kind.openAI == type && error.retryAdvice == advice)
        #expect((error.retryHint != nil) == (status == 429))
    }

    @Test("Who shows a token is told of the token, and of no API key")
    func tokens() {
        for verdict in [SessionAPI.Verdict.tenantBlocked, .scopeRefused, .rateLimited, .budgetExceeded] {
            let message = refusal(verdict) { $0.keyID = "oidc:abc" }.message
            #expect(message.contains("this token") && !message.contains("key"))
            #expect(refusal(verdict).message.contains("this API key"))
        }
    }

    @Test("A refusal of limits that are counted without their shared store says so")
    func degraded() {
        #expect(refusal(.rateLimited) { $0.limitsLocal = true }.degraded == ["session"])
        #expect(refusal(.rateLimited).degraded.isEmpty)
    }

    @Test("A spent budget is told with its size, its window, whose it is and when it begins anew")
    func budget() throws {
        let error = refusal(.budgetExceeded) {
            $0.budget = .init(limit: 5_000_000_000, resetMS: 3 * 3_600_000, windowMS: 86_400_000, scope: "user")
            $0.violated = ["user-budget"]
        }
        #expect(error.message == "The budget of $5.00 a day of this user is spent. It begins anew in 3 h 0 min.")
        #expect(error.violated == ["user-budget"])
        #expect((10_800 ... 12_960).contains(try #require(error.retryHint).seconds), "as long as the text says")
        #expect(error.retryAdvice == false)
    }

    @Test("A runaway is told with how many calls in which time are too many, and which setting says so")
    func runaway() {
        let error = refusal(.runaway) {
            $0.reason = "more than 20 near-identical calls in 1m (session.runaway.identical_calls: 20)"
            $0.retryAfterMS = 3_000
        }
        #expect(error.message.hasPrefix("More than 20 near-identical calls in 1m (session.runaway.identical_calls: 20)"))
    }

    @Test("A wait of hours is told in hours")
    func longWait() throws {
        let error = refusal(.rateLimited) { $0.tokens = .init(limit: 500, retryAfterMS: 2 * 3_600_000, scope: "user") }
        #expect(error.message.contains("Try again in 2 h"))
        #expect(try #require(error.retryHint).seconds >= 7_200 && error.retryAdvice == false)
    }

    @Test("RL07: the limits that refused are named, exactly these, in the body and in a header")
    func violated() throws {
        let error = refusal(.rateLimited) {
            $0.requests = .init(limit: 5, remaining: 0, retryAfterMS: 900, scope: "tenant")
            $0.tokens = .init(limit: 500, remaining: 0, retryAfterMS: 2000, scope: "user")
            $0.concurrency = .init(limit: 2, remaining: 1, scope: "key")
        }
        #expect(error.violated == ["user-tokens", "tenant-requests"])
        #expect(error.message.contains("500 tokens per minute of this user"))
        let body = try JSON.parse(error.body(.problem, requestID: "r"))
        #expect(body["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded")
        #expect(body["violated-policies"] == ["user-tokens", "tenant-requests"])
        let told = refusal(.rateLimited) { $0.violated = ["user-requests", "tenant-requests"] }
        #expect(told.violated == ["user-requests", "tenant-requests"])
    }

    @Test("Overload and abnormal use have problem types of their own")
    func problemTypes() throws {
        func type(_ error: EdgeError) throws -> String? { try JSON.parse(error.body(.problem, requestID: "r"))["type"]?.string }
        #expect(try type(EdgeError(.overloaded, message: "m"))?.hasSuffix("#temporary-reduced-capacity") == true)
        #expect(try type(refusal(.runaway))?.hasSuffix("#abnormal-usage-detected") == true)
        #expect(try type(refusal(.budgetExceeded))?.hasSuffix("#quota-exceeded") == true)
        #expect(try type(refusal(.tenantBlocked)) == "about:blank")
    }
}
