import BulkheadCore
import Glibc
import Synchronization

/// How fast targets answer: a peak-sensitive moving average of the time to first content, weighted with what is under way.
///
/// A slow answer counts at once, a fast one only little by little, and what is long ago fades, so that a target that was slow is
/// asked again. Source: the "peak EWMA" load balancer of Finagle (Twitter, 2015), with two random choices (Mitzenmacher, 2001).
package final class TargetScores: Sendable {
    private struct Score {
        /// Seconds.
        var average = 0.0
        var updated = MonotonicTime(nanoseconds: 0)
        var underWay = 0
    }

    /// Old averages lose half of their weight about every seven seconds.
    private static let fade = 10.0
    /// What a failed try counts at least, in seconds: failing fast must not look like answering fast.
    private static let failurePenalty = 5.0
    /// Targets that are known; beyond it all others count as unknown.
    private static let capacity = 4096

    private let scores = Mutex<[String: Score]>([:])

    package init() {}

    /// A try begins.
    package func begin(_ target: Target) {
        scores.withLock { scores in
            guard scores[target.label] != nil || scores.count < Self.capacity else { return }
            scores[target.label, default: Score()].underWay += 1
        }
    }

    /// A try has ended. - Parameter firstContent: the time to its first content; nil when there was none.
    package func end(_ target: Target, firstContent: Duration?, now: MonotonicTime) {
        scores.withLock { scores in
            guard var score = scores[target.label] else { return }
            score.underWay = max(0, score.underWay - 1)
            let sample = firstContent.map { $0.milliseconds / 1000 } ?? max(Self.failurePenalty, score.average)
            if score.updated.nanoseconds == 0 || sample > score.average {
                score.average = sample
            } else {
                let weight = exp(-(now - score.updated).milliseconds / 1000 / Self.fade)
                score.average = score.average * weight + sample * (1 - weight)
            }
            score.updated = now
            scores[target.label] = score
        }
    }

    /// What a request at the target is expected to wait, in seconds; 0 for one that is not known, so that it becomes known.
    package func cost(_ target: Target, now: MonotonicTime) -> Double {
        scores.withLock { scores in
            guard let score = scores[target.label] else { return 0 }
            let faded = score.average * exp(-(now - score.updated).milliseconds / 1000 / (Self.fade * 6))
            return faded * Double(score.underWay + 1) + Double(score.underWay) * 1e-6
        }
    }
}
