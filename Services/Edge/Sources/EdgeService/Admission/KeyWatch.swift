import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import BulkheadServiceKit
import Logging
import NIOCore

// States: open (session tells of every change) → broken (it does not: questions that count nothing are asked again) → open.

/// Hears from session which keys and tenants changed, and has them forgotten; of freezes, and has them noted.
final class KeyWatch: Sendable {
    /// The first wait after a watch broke, and the longest.
    private static let waits = (base: Duration.milliseconds(50), limit: Duration.seconds(5))
    /// Until a session that has no watch is asked again: it may be another version by then.
    private static let waitForVersion = Duration.seconds(30)

    private let peers: EdgePeers
    private let admission: Admission
    private let logger: Logger

    init(peers: EdgePeers, admission: Admission, logger: Logger) {
        self.peers = peers
        self.admission = admission
        self.logger = logger
    }

    /// Watches until cancelled.
    func run() async {
        var backoff = Backoff(base: Self.waits.base, limit: Self.waits.limit, seed: .random(in: 0 ... .max))
        while !Task.isCancelled {
            var wait: Duration?
            do {
                try await peers.watchKeys { change in
                    backoff.reset()
                    take(change)
                }
            } catch let error as CallError where error.code == .unimplemented {
                wait = Self.waitForVersion
            } catch {
                logger.debug("keys are not watched", metadata: ["error": "\(error)"])
            }
            admission.memory.withLock { $0.watchEnded() }
            do { try await ProcessRuntime.eventLoop.sleep(wait ?? backoff.next()) } catch { return }
        }
    }

    private func take(_ change: SessionAPI.WatchKeysReply) {
        let began = admission.memory.withLock { memory in
            let now = MonotonicTime.now()
            memory.take(change, now: now)
            guard !memory.isWatched else { return false }
            memory.watchBegan(now: now)
            return true
        }
        if began { logger.debug("keys are watched") }
    }
}
