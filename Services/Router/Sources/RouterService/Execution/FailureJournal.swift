import BulkheadCore
import Logging
import Synchronization

/// Writes failed tries into the log, with what the provider said in full: callers get a short word of it only.
///
/// At most one entry a second for each target and kind of failure. What falls into that second is counted, and told with the
/// requests' ids by the next entry, or by one of its own when the second is over.
package final class FailureJournal: Sendable {
    /// Where in a request a try failed.
    package struct Place: Sendable {
        package var requestID: String
        /// The try's number in its request.
        package var number: Int
        /// The caller had been shown a part of the answer.
        package var isBroken: Bool

        package init(_ requestID: String, try number: Int, isBroken: Bool = false) {
            self.requestID = requestID
            self.number = number
            self.isBroken = isBroken
        }
    }

    private struct Silence {
        var until: MonotonicTime
        var skipped = 0
        /// The first of those that were skipped.
        var requests: [String] = []

        mutating func skip(_ requestID: String) {
            skipped += 1
            if requests.count < mostRequests { requests.append(requestID) }
        }
    }

    private static let pause = Duration.seconds(1)
    /// Targets and kinds whose pauses are kept; beyond it everything is written.
    private static let capacity = 4096
    /// Requests that are named of those that were skipped.
    private static let mostRequests = 16

    private let logger: Logger
    private let later: @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
    private let silences = Mutex<[String: Silence]>([:])

    /// - Parameter later: calls after a time; whoever has no clock leaves what is skipped to the next entry.
    package init(
        logger: Logger, later: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void = { _, _ in }
    ) {
        self.logger = logger
        self.later = later
    }

    package func note(_ failure: TargetFailure, _ target: Target, _ place: Place, now: MonotonicTime) {
        guard let level = Self.level(failure.kind) else { return }
        let key = "\(target.label) \(failure.kind.rawValue)"
        guard let before = pass(key, place, now) else { return }
        logger.log(
            level: level, place.isBroken ? "an answer broke off" : "a try at a provider failed",
            metadata: [
                "request": "\(place.requestID)", "target": "\(target.label)", "try": "\(place.number)",
                "kind": "\(failure.kind.rawValue)", "code": "\(failure.providerCode)",
                "said": "\(failure.fullText.isEmpty ? failure.error.message : failure.fullText)",
                "not_shown": "\(before.skipped)",
            ].merging(Self.requests(before)) { own, _ in own })
    }

    /// nil for what is no trouble, or is told elsewhere.
    private static func level(_ kind: TargetFailure.Kind) -> Logger.Level? {
        switch kind {
        case .badCredential, .outOfQuota: .error
        case .transient, .silent, .broken, .refused, .outOfTime: .warning
        case .callersMistake, .tooLong, .prefillRefused, .unsupported: .info
        case .credentials, .cancelled: nil
        }
    }

    private static func requests(_ silence: Silence) -> Logger.Metadata {
        silence.requests.isEmpty ? [:] : ["not_shown_requests": "\(silence.requests.joined(separator: " "))"]
    }

    /// - Returns: what was left out before this entry; nil when this one is left out, too.
    private func pass(_ key: String, _ place: Place, _ now: MonotonicTime) -> Silence? {
        let (before, isFirst): (Silence?, Bool) = silences.withLock { silences in
            if var silence = silences[key], now < silence.until {
                silence.skip(place.requestID)
                silences[key] = silence
                return (nil, silence.skipped == 1)
            }
            let before = silences[key] ?? Silence(until: now)
            if silences.count >= Self.capacity { silences = silences.filter { now < $0.value.until || $0.value.skipped > 0 } }
            if silences.count < Self.capacity || silences[key] != nil { silences[key] = Silence(until: now + Self.pause) }
            return (before, false)
        }
        if isFirst { later(Self.pause) { [weak self] in self?.tellSkipped(key) } }
        return before
    }

    /// Nothing came after what was skipped: it is told now.
    private func tellSkipped(_ key: String) {
        let silence: Silence? = silences.withLock { silences in
            guard let silence = silences[key], silence.skipped > 0 else { return nil }
            silences[key] = nil
            return silence
        }
        guard let silence else { return }
        logger.warning(
            "more tries at a provider failed in the same way",
            metadata: ["target_and_kind": "\(key)", "not_shown": "\(silence.skipped)"].merging(Self.requests(silence)) { own, _ in
                own
            })
    }
}
