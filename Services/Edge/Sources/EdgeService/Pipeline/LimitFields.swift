import BulkheadAPI
import HTTPTypes

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), of the limits a request was held against.
///
/// Written by hand: two lists of strings with whole numbers behind them, on every answer. A library for structured fields would
/// build a tree for each.
struct LimitFields {
    /// No whole number of a structured field is larger (RFC 9651 §3.3.1).
    private static let largest = 999_999_999_999_999
    /// Windows beyond this, in seconds: no more than ten times the even pace is told to be left, so that nobody is invited to spend
    /// what is left of a day in its last minute.
    private static let longWindow = 60

    private(set) var policy = ""
    private(set) var state = ""
    private let limits: CallerLimits

    init(_ limits: CallerLimits) {
        self.limits = limits
        policy.reserveCapacity(256)
        state.reserveCapacity(160)
        if let limit = limits.requests { add(limit, LimitName.requests, unit: "requests", window: 60) }
        if let limit = limits.tokens { add(limit, LimitName.tokens, unit: "bulkhead-tokens", window: 60) }
        if let limit = limits.concurrency { add(limit, LimitName.concurrency, unit: "concurrent-requests", window: nil) }
        if let budget = limits.budget { add(budget) }
    }

    private mutating func add(_ limit: SessionAPI.RateLimit, _ kind: String, unit: String, window: Int?) {
        let reset = window == nil ? nil : LimitFields.reset(limit, limits)
        add(
            kind, scope: limit.scope, unit: unit, quota: limit.limit, window: window, remaining: limit.remaining,
            resetSeconds: reset.map { ($0 + 999) / 1000 })
    }

    private mutating func add(_ budget: SessionAPI.Budget) {
        let window = max(1, budget.windowMS / 1000)
        // Of one that refuses as much as `retry-after` says.
        let wait = limits.budgetWaitMS > 0 ? limits.budgetWaitMS : budget.resetMS
        let reset = (limits.told(wait) + 999) / 1000
        // Micro-dollars: nano-dollars do not fit into the whole numbers of the field.
        add(
            LimitName.budget, scope: budget.scope, unit: "bulkhead-microusd", quota: budget.limit / 1000, window: window,
            remaining: budget.remaining / 1000, resetSeconds: reset)
    }

    private mutating func add(
        _ kind: String, scope: String, unit: String, quota: Int, window: Int?, remaining: Int, resetSeconds: Int?
    ) {
        if !policy.isEmpty {
            policy += ", "
            state += ", "
        }
        let scope = LimitName.scope(scope)
        let partition = partition(scope)
        for text in ["\"", scope, "-", kind, "\";q=", String(Self.number(quota))] { policy += text }
        if let window { policy += ";w=" + String(window) }
        for text in [";qu=\"", unit, "\";pk=", partition] { policy += text }
        let left = Self.left(remaining, of: quota, window: window, resetSeconds: resetSeconds)
        for text in ["\"", scope, "-", kind, "\";r=", String(left)] { state += text }
        if let resetSeconds { state += ";t=" + String(Self.number(resetSeconds)) }
        state += ";pk=" + partition
    }

    private static func number(_ value: Int) -> Int { min(max(0, value), largest) }

    private static func left(_ remaining: Int, of quota: Int, window: Int?, resetSeconds: Int?) -> Int {
        let left = number(remaining)
        guard let window, window > longWindow, let resetSeconds, quota > 0 else { return left }
        let pace = Double(quota) / Double(window) * Double(max(resetSeconds, longWindow)) * 10
        return min(left, max(1, Int(min(pace, Double(largest)))))
    }

    /// Until a limit is whole again, in milliseconds; of one that refuses, until it admits again, as `retry-after` says it.
    static func reset(_ limit: SessionAPI.RateLimit, _ limits: CallerLimits) -> Int {
        limits.told(limit.retryAfterMS > 0 ? limit.retryAfterMS : limit.resetMS)
    }

    /// Who shares the limit, as 48 bits of a hash whose key is drawn at every start: callers can tell limits apart, and nobody
    /// can tell whose they are. Eight letters of base64 without padding (RFC 9651 §3.3.5).
    private func partition(_ scope: String) -> String {
        var hasher = Hasher()
        hasher.combine(limits.tenant)
        switch scope {
        case "tenant": hasher.combine(0)
        case "user" where !limits.user.isEmpty:
            hasher.combine(1)
            hasher.combine(limits.user)
        default:
            hasher.combine(2)
            hasher.combine(limits.keyID)
        }
        var bits = UInt64(bitPattern: Int64(hasher.finalize()))
        var text = ":"
        for _ in 0 ..< 8 {
            text.unicodeScalars.append(Unicode.Scalar(Self.alphabet[Int(bits & 63)]))
            bits >>= 6
        }
        return text + ":"
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
}
