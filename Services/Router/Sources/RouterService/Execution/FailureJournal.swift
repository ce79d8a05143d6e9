import BulkheadCore
import Logging
import Synchronization

/// Writes failed tries into the log, with what the provider said in full: callers get a short word of it only.
///
/// At most one entry a second for each target and kind of failure; the next one says how many there were meanwhile.
package final class FailureJournal: Sendable {
    private struct Silence {
        var until: MonotonicTime
        var skipped = 0
    }

    private static let pause = Duration.seconds(1)
    /// Targets and kinds whose pauses are kept; beyond it everything is written.
    private static let capacity = 4096

    private let logger: Logger
    private let silences = Mutex<[String: Silence]>([:])

    package init(logger: Logger) { self.logger = logger }

    /// - Parameter number: the try's number in its request.
    package func note(_ failure: TargetFailure, _ target: Target, requestID: String, number: Int, now: MonotonicTime) {
        guard let level = Self.level(failure.kind), let skipped = pass("\(target.label) \(failure.kind.rawValue)", now) else {
            return
        }
        logger.log(
            level: level, "a try at a provider failed",
            metadata: [
                "request": "\(requestID)", "target": "\(target.label)", "try": "\(number)", "kind": "\(failure.kind.rawValue)",
                "code": "\(failure.providerCode)",
                "said": "\(failure.fullText.isEmpty ? failure.error.message : failure.fullText)",
                "not_shown": "\(skipped)",
            ])
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

    /// - Returns: how many entries were left out before this one; nil when this one is left out, too.
    private func pass(_ key: String, _ now: MonotonicTime) -> Int? {
        silences.withLock { silences in
            if var silence = silences[key], now < silence.until {
                silence.skipped += 1
                silences[key] = silence
                return nil
            }
            let skipped = silences[key]?.skipped ?? 0
            if silences.count >= Self.capacity { silences = silences.filter { now < $0.value.until } }
            silences[key] = Silence(until: now + Self.pause)
            return skipped
        }
    }
}
