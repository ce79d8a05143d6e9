import BulkheadCore
import BulkheadResilience

/// Why a try at a target did not give an answer, and what follows from it.
package struct TargetFailure: Error, Sendable, Equatable {
    /// What the execution does with it; see `RetryPolicy`.
    package enum Kind: String, Sendable, CaseIterable {
        /// The request is wrong, whoever is asked.
        case callersMistake = "callers-mistake"
        /// The request is longer than this model's context; one with a larger context may take it.
        case tooLong = "too-long"
        /// The provider does not let its model go on with an answer that was begun elsewhere.
        case prefillRefused = "prefill-refused"
        /// This target cannot do it (dialect, unknown model there); another one may.
        case unsupported
        /// The provider refuses this model or request to the account.
        case refused
        /// The provider does not accept the stored secret: true for all of its models.
        case badCredential = "bad-credential"
        /// The account is out of quota or credit: true for all of its models, and not over soon.
        case outOfQuota = "out-of-quota"
        /// 408, 409, 429, 5xx, no connection, reset: may pass.
        case transient
        /// Nothing came within the time limit: asking again would cost as much again.
        case silent
        /// An answer that is none: malformed, or ended before its end.
        case broken
        /// The credentials service is missing or has no usable secret: says nothing about the provider.
        case credentials
        /// The time of the whole request is over.
        case outOfTime = "out-of-time"
        /// The caller left.
        case cancelled
    }

    package var kind: Kind
    /// What the caller is told when nothing else helps.
    package var error: CallError
    /// What it says about the target's health.
    package var outcome: CircuitBreaker.Outcome
    /// The provider's own word for the error, e.g. `invalid_value`; empty when it gave none.
    package var providerCode: String
    /// What the provider said in full, for the operator's log; never for the caller.
    package var fullText: String
    /// The status of the provider's answer, or the one its error inside an answer stands for; nil when it sent neither.
    package var status: Int?
    /// The link to credentials broke after the request was handed over.
    private var wasLost = false

    package init(
        _ kind: Kind, _ error: CallError, outcome: CircuitBreaker.Outcome? = nil, providerCode: String = "", fullText: String = ""
    ) {
        self.kind = kind
        self.error = error
        self.outcome = outcome ?? Self.outcome(of: kind)
        self.providerCode = providerCode
        self.fullText = fullText
    }

    private static func outcome(of kind: Kind) -> CircuitBreaker.Outcome {
        switch kind {
        case .callersMistake, .tooLong, .prefillRefused: .success
        case .transient, .silent, .broken: .failure
        case .unsupported, .refused, .badCredential, .outOfQuota, .credentials, .outOfTime, .cancelled: .neutral
        }
    }

    /// The request went out, and nothing the provider said tells what became of it.
    package var isOutcomeUnknown: Bool {
        switch kind {
        case .silent, .broken, .outOfTime, .cancelled: true
        case .transient: error.reason == "upstream_timeout" || error.reason == "upstream_error" && status == nil
        case .credentials: wasLost
        default: false
        }
    }

    /// The request itself was at fault, or nobody waits any more: nothing else makes an answer of it.
    package var isCallers: Bool {
        switch kind {
        case .callersMistake, .tooLong, .unsupported, .cancelled: true
        default: false
        }
    }
}

extension TargetFailure {
    /// An answer the router could not use.
    package static func broken(_ target: Target, _ what: String) -> TargetFailure {
        TargetFailure(
            .broken, CallError(.unavailable, reason: "upstream_error", message: "The provider '\(target.provider)' \(what)."))
    }

    /// A second answer that does not begin as the shown part of the first one.
    package static func diverged(_ target: Target) -> CallError {
        CallError(
            .dataLoss, reason: "stream_broken",
            message:
                "The answer broke off, and the one of the provider '\(target.provider)' that was to complete it differs from "
                + "what was sent. Try again.")
    }

    package static func silent(_ target: Target, after limit: Duration) -> TargetFailure {
        let milliseconds = Int(limit.milliseconds)
        return TargetFailure(
            .silent,
            CallError(
                .deadlineExceeded, reason: "upstream_timeout",
                message: "The provider '\(target.provider)' sent nothing for \(milliseconds) ms, the limit of this route."))
    }

    /// A stream that broke after its first event reached the caller. - Parameter what: a sentence.
    package static func brokenStream(_ target: Target, _ what: String) -> CallError {
        CallError(
            .dataLoss, reason: "stream_broken", message: "The answer of the provider '\(target.provider)' broke off. \(what)")
    }

    /// Trouble that may pass. Addresses and causes are the operator's business: they stay with the log.
    private static func passing(_ error: CallError, _ reason: String, _ message: String) -> TargetFailure {
        let told = CallError(.unavailable, reason: reason, message: message, retryAfter: error.retryAfter, origin: error.origin)
        return TargetFailure(.transient, told, fullText: error.message)
    }

    /// The end of an exchange as the credentials service, or the link to it, tells it.
    package static func exchange(_ error: CallError, _ one: Try) -> TargetFailure {
        switch (error.code, error.reason) {
        case (.cancelled, _):
            return TargetFailure(.cancelled, error)
        case (_, "upstream_unreachable"):
            return passing(error, error.reason, "The provider '\(one.target.provider)' cannot be reached.")
        case (_, "upstream_error"):
            return passing(error, error.reason, "The provider '\(one.target.provider)' gave no answer.")
        case (_, "stream_broken"):
            return passing(error, "upstream_error", "The connection to the provider '\(one.target.provider)' broke off.")
        case (_, "upstream_timeout"):
            return TargetFailure(.silent, error)
        case (.deadlineExceeded, _):
            let late = CallError(
                .deadlineExceeded, reason: "upstream_timeout",
                message: "The provider '\(one.target.provider)' did not answer in the time the request had.")
            return TargetFailure(.outOfTime, late, outcome: one.deadline.isRoutes ? .failure : .neutral)
        case (_, "payload_too_large"):
            return TargetFailure(.callersMistake, error)
        case (_, "rate_limited"):
            return TargetFailure(.transient, error, outcome: .neutral)
        case (.notFound, _), (.permissionDenied, _):
            return misconfigured(one.target, error)
        case (.failedPrecondition, _), (.invalidArgument, _):
            return TargetFailure(.credentials, error)
        default:
            var failure = TargetFailure.noCredentials(retryAfter: error.retryAfter, origin: error.origin)
            failure.wasLost = !error.notProcessed && error.reason != "breaker_open"
            return failure
        }
    }

    /// All targets of a model are switched off. - Parameter labels: `provider/model`, at least one.
    package static func disabled(_ labels: [String]) -> TargetFailure {
        let first = labels.first ?? ""
        let what = labels.count == 1 ? "The only target of this model is" : "All \(labels.count) targets of this model are"
        let error = CallError(
            .unavailable, reason: "target_disabled",
            message: "\(what) switched off by the operator, who can switch it on again with: "
                + "bulkhead-router target enable \(first)")
        return TargetFailure(.transient, error, outcome: .neutral)
    }

    /// The credentials service does not let the router use the provider's destination: it does not exist, is not the router's,
    /// or goes beyond what was sealed. The operator's mistake, so the caller is not told that something of its own is wrong.
    private static func misconfigured(_ target: Target, _ error: CallError) -> TargetFailure {
        let told = CallError(
            .unavailable, reason: "credentials_unavailable",
            message: "The provider '\(target.provider)' cannot be asked: the operator has to correct its destination, see "
                + "bulkhead-credentials doctor.", origin: error.origin)
        return TargetFailure(.credentials, told, fullText: error.message)
    }

    /// Nobody to ask a provider through.
    package static func noCredentials(retryAfter: Duration?, origin: String?) -> TargetFailure {
        TargetFailure(
            .credentials,
            CallError(
                .unavailable, reason: "credentials_unavailable",
                message: "The credentials service cannot be reached, so no provider can be asked: see bulkhead-router links.",
                retryAfter: retryAfter, origin: origin))
    }
}
