import CBulkheadSystem
import Glibc
import NIOCore
import NIOPosix

/// Ends a process that hangs. A process whose loop stands still answers nobody and would never be restarted; one whose
/// blocking threads all hang answers pings and does no work. Its supervisor starts a new one.
package enum LoopWatchdog {
    private static let beatEvery: TimeAmount = .seconds(1)

    /// Starts watching. Call once in a process.
    /// - Parameters:
    ///   - blocking: the threads that blocking work runs on.
    ///   - loopLimit: the loop may do without a turn for this long, 10 s by default.
    ///   - poolLimit: the threads may take no work for this long, 30 s by default: a slow disk is not a hang.
    package static func start(
        _ eventLoop: any EventLoop, blocking: NIOThreadPool, loopLimit: Duration = .seconds(10),
        poolLimit: Duration = .seconds(30)
    ) throws(StartupFailure) {
        let error = bh_watchdog_start(milliseconds(loopLimit), milliseconds(poolLimit))
        guard error == 0 else { throw StartupFailure("cannot start the watchdog thread: \(String(cString: strerror(error)))") }
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: beatEvery) { _ in bh_watchdog_beat(0) }
        beatFromPool(blocking, eventLoop)
    }

    /// One beat is on its way at most, however long the threads take for it.
    private static func beatFromPool(_ pool: NIOThreadPool, _ eventLoop: any EventLoop) {
        pool.submit { state in
            // A pool that was shut down beats no more; the process is about to end, and no work is left to hang.
            bh_watchdog_beat(1)
            guard state == .active else { return }
            eventLoop.scheduleTask(in: beatEvery) { beatFromPool(pool, eventLoop) }
        }
    }

    private static func milliseconds(_ duration: Duration) -> UInt32 { UInt32(clamping: duration.nanosecondsClamped / 1_000_000) }
}
