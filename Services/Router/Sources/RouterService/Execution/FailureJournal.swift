import BulkheadCore
import Logging
import Synchronization

/// Writes failed tries into the log, with what the provider said in full: callers get a short word of it only.
///
/// Each failure once a second for each target and kind, and at most `mostForms` different ones (another status, code or wording)
/// of them. What else falls into that second is counted, and told with the requests' ids by the next entry, or by one of its own
/// when the second is over. What was told is forgotten with its second.
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
        /// Hashes of the forms that were told, at most `mostForms`.
        var told: [UInt64] = []
        var skipped = 0
        /// Those of them that stand in no entry in this form.
        var untold = 0
        /// The first of those that were skipped.
        var requests: [String] = []

        /// - Returns: whether the failure is to be told now.
        mutating func tells(_ form: UInt64) -> Bool {
            guard !told.contains(form), told.count < mostForms else { return false }
            told.append(form)
            return true
        }

        mutating func skip(_ requestID: String, _ form: UInt64) {
            skipped += 1
            if !told.contains(form) { untold += 1 }
            if requests.count < mostRequests, !requests.contains(requestID) { requests.append(requestID) }
        }
    }

    private static let pause = Duration.seconds(1)
    /// Targets and kinds whose pauses are kept; beyond it everything is written.
    private static let capacity = 4096
    /// Different failures of one target and kind that are told in a second: a provider that words each of its errors anew is
    /// not to fill the log.
    private static let mostForms = 8
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
        guard let before = pass(key, Self.form(of: failure), place, now) else { return }
        logger.log(
            level: level, place.isBroken ? "an answer broke off" : "a try at a provider failed",
            metadata: [
                "request": "\(place.requestID)", "target": "\(target.label)", "try": "\(place.number)",
                "kind": "\(failure.kind.rawValue)", "code": "\(failure.providerCode)",
                "status": "\(failure.status.map(String.init) ?? "none")",
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

    /// What tells failures of one kind apart: the status, the provider's code, and its words but for those with digits, which
    /// are ids and times more often than not.
    private static func form(of failure: TargetFailure) -> UInt64 {
        let said = failure.fullText.isEmpty ? failure.error.message : failure.fullText
        let words = said.utf8.prefix(mostCompared).split { !isWordByte($0) }.filter { !$0.contains(where: isDigit) }
        var form = Array("\(failure.status ?? 0) \(failure.error.code) \(failure.error.reason) \(failure.providerCode)".utf8)
        for word in words { form += word + [UInt8(ascii: " ")] }
        return ToolSyntax.hash(form)
    }

    /// Bytes of the provider's words that are compared.
    private static let mostCompared = 1024

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0") ... UInt8(ascii: "9")).contains(byte) }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 65 ... 90, 97 ... 122, 0x80..., UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: isDigit(byte)
        }
    }

    private static func requests(_ silence: Silence) -> Logger.Metadata {
        silence.requests.isEmpty ? [:] : ["not_shown_requests": "\(silence.requests.joined(separator: " "))"]
    }

    /// - Returns: what was left out before this entry; nil when this one is left out, too.
    private func pass(_ key: String, _ form: UInt64, _ place: Place, _ now: MonotonicTime) -> Silence? {
        let (before, isFirst): (Silence?, Bool) = silences.withLock { silences in
            if var silence = silences[key], now < silence.until {
                defer { silences[key] = silence }
                if silence.tells(form) { return (Silence(until: now), false) }
                silence.skip(place.requestID, form)
                return (nil, silence.skipped == 1)
            }
            let before = silences[key] ?? Silence(until: now)
            if silences.count >= Self.capacity { silences = silences.filter { now < $0.value.until || $0.value.skipped > 0 } }
            if silences.count < Self.capacity || silences[key] != nil {
                silences[key] = Silence(until: now + Self.pause, told: [form])
            }
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
            silence.untold == 0
                ? "more tries at a provider failed in the same way"
                : "more tries at a provider failed, some in ways that are not shown",
            metadata: [
                "target_and_kind": "\(key)", "not_shown": "\(silence.skipped)", "in_other_ways": "\(silence.untold)",
            ].merging(Self.requests(silence)) { own, _ in own })
    }
}
