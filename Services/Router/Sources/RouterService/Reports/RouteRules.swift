import BulkheadCore

/// What a route does about each class of errors, in words and with its own numbers.
package struct RouteRules: Sendable {
    private let route: Route
    private let catalog: ModelCatalog
    private let policy: RetryPolicy

    package init(_ route: Route, _ catalog: ModelCatalog) {
        self.route = route
        self.catalog = catalog
        policy = RetryPolicy(route.retry, targets: route.targets.count, clientRetries: 0)
    }

    private typealias Rule = RouteExplanation.Rule

    package var all: [RouteExplanation.Rule] { requestRules + accountRules + transientRules + answerRules + endRules }

    /// What is wrong with the request is wrong everywhere.
    private var requestRules: [Rule] {
        [
            Rule(
                code: "invalid_request", on: "400, 404, 413, 422: the provider refuses the request",
                action: "the caller gets the error at once; nobody else is asked"),
            Rule(
                code: "content_policy_violation", on: "the provider's content policy",
                action: "the caller gets the error at once; a refused text is not offered to others"),
            Rule(code: "context_length_exceeded", on: "the request is longer than the model's context", action: largerContext),
        ]
    }

    private var accountRules: [Rule] {
        [
            Rule(
                code: "upstream_auth", on: "401: the stored secret is not accepted",
                action: "no second try; the destination is left alone for \(Self.rest(.credential)); \(next)"),
            Rule(code: "upstream_forbidden", on: "403: the account may not", action: "no second try; \(next)"),
            Rule(
                code: "insufficient_quota", on: "402, 429 insufficient_quota: no credit left",
                action: "not taken for passing: no second try; the destination is left alone for \(Self.rest(.quota)); \(next)"),
            Rule(
                code: "credentials_unavailable", on: "no usable secret, credentials service down", action: "costs no try; \(next)"
            ),
        ]
    }

    private var transientRules: [Rule] {
        let retry = route.retry
        let longest = Self.text(retry.max)
        return [
            Rule(
                code: "upstream_error", on: "408, 409, 5xx, connection reset, none within \(Self.text(route.timeouts.connect))",
                action: again),
            Rule(
                code: "rate_limited", on: "429, and every Retry-After up to \(longest)",
                action: "as above, but never sooner than Retry-After says"),
            Rule(code: "retry_after_too_long", on: "Retry-After above \(longest), or beyond the deadline", action: next),
        ]
    }

    private var answerRules: [Rule] {
        [
            Rule(
                code: "silent", on: "nothing within \(Self.text(route.timeouts.firstToken)) (first_token; pings count as life)",
                action: "no second try: it would cost as much again; \(next)"),
            Rule(
                code: "broken_answer", on: "malformed or truncated answer before the first token",
                action: "no second try; \(next)"),
            Rule(
                code: "stream_broken",
                on: "stream broken, or silent for \(Self.text(route.timeouts.betweenTokens)), after the first token",
                action: streamBreak),
        ]
    }

    private var endRules: [Rule] {
        [
            Rule(code: "breaker_open", on: "the target's breaker is open", action: "skipped; the next one is asked at once"),
            Rule(code: "target_disabled", on: "the target is switched off", action: "skipped; the next one is asked at once"),
            Rule(
                code: "all_open", on: "every breaker is open",
                action: last(
                    or: "503 breaker_open, Retry-After with the soonest probe, at most \(Self.text(Failover.longestBreakerWait))")
            ),
            Rule(
                code: "tries_used_up",
                on: "\(policy.maxTries) tries in all; x-stainless-retry-count of the client is taken off",
                action: last(or: "the last error, and x-should-retry: false")),
            Rule(
                code: "out_of_time", on: "\(Self.text(route.timeouts.total)) in all (or the caller's deadline)",
                action: last(or: "504 upstream_timeout")),
            Rule(code: "all_failed", on: "every target failed", action: last(or: "the error of the last one")),
        ]
    }
}

extension RouteRules {
    /// A duration as the configuration writes it, e.g. `250 ms`, `3 s`, `1 h`.
    package static func text(_ duration: Duration) -> String {
        let milliseconds = Int(duration.milliseconds)
        for (unit, length) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000)]
        where milliseconds >= length && milliseconds % length == 0 {
            return "\(milliseconds / length) \(unit)"
        }
        return "\(milliseconds) ms"
    }

    /// How long an account is left alone.
    private static func rest(_ cause: CredentialCooldowns.Cause) -> String {
        "\(text(cause.rest.first)), later longer, at most \(text(cause.rest.most))"
    }

    private var hasNext: Bool { route.targets.count > 1 && route.fallbacks.contains(.target) }

    private var next: String { hasNext ? "the next target" : last(or: "no other target: the error") }

    /// What comes when no target is left.
    private func last(or error: String) -> String {
        let others = route.fallbacks.filter { $0 != .target }.map { fallback in
            fallback == .staleCache
                ? "a cached answer whose time is over, marked stale" : "the configured answer, marked degraded"
        }
        return (others + [error]).joined(separator: "; else ")
    }

    private var again: String {
        let tries = min(policy.triesPerTarget, policy.maxTries)
        guard policy.asksAgain else { return "no second try; \(next)" }
        let waits = (1 ... min(tries - 1, 4)).map { Self.text(policy.longestWait(after: $0)) }
        let more = tries - 1 > waits.count ? ", … \(Self.text(policy.longestWait(after: tries - 1)))" : ""
        return "\(tries) tries in all, after random waits of at most \(waits.joined(separator: ", "))\(more); then \(next)"
    }

    private var largerContext: String {
        guard hasNext else { return "the caller gets the error" }
        // Who is asked first decides; the first of the list stands for it.
        let refused = Failover.context(of: route.targets[0], catalog)
        let larger = route.targets.dropFirst().filter { Failover.isLarger($0, than: refused, catalog) }
            .map { "\($0.label) (\(Failover.context(of: $0, catalog)))" }
        return larger.isEmpty
            ? "the caller gets the error: no target has a larger context"
            : "only a target with a larger context: \(larger.joined(separator: ", ")); else the error"
    }

    private var streamBreak: String {
        let again = policy.asksAgain ? "the same target, after a cut or an error that may pass," : nil
        let askable = [again, hasNext && policy.maxTries > 1 ? "the next target" : nil].compactMap { $0 }
        let other = askable.isEmpty ? "no other target: an error event" : askable.joined(separator: " or ")
        return switch route.onStreamBreak {
        case .error: "an error event, no end mark; nobody else is asked (on_stream_break: error)"
        case .replay where askable.isEmpty, .continue where askable.isEmpty:
            "\(other) (on_stream_break: \(route.onStreamBreak.rawValue))"
        case .replay: "\(other) answers anew, what the caller has seen is dropped from it; if it differs, an error event (replay)"
        case .continue: "\(other) goes on with the text if its model can, else answers anew as with replay (continue)"
        case .buffer: "the caller has seen nothing yet: as before the first token, \(other) (buffer)"
        }
    }
}
