import BulkheadCore
import CFuzz
import DequeModule
import Logging
import NIOCore
import NIOEmbedded

/// One thread with an event loop, Swift Concurrency's jobs and a clock that is moved by hand: an input always takes the same
/// course. Only the seeds of ids and of jitter differ from run to run.
final class Stage {
    /// Where every input starts, on CLOCK_MONOTONIC.
    private static let start: UInt64 = 1_000_000_000_000
    /// More turns without the clock moving are work without end.
    private static let maxTurns = 20_000
    /// Jobs of Swift Concurrency that wait for their turn. Everything happens on one thread.
    private nonisolated(unsafe) static var jobs: Deque<UnsafeMutableRawPointer> = []
    private static let isPrepared: Bool = {
        LoggingSystem.bootstrap { _ in SwiftLogNoOpLogHandler() }
        fuzz_take_executor { job in
            if let job { Stage.jobs.append(job) }
        }
        return true
    }()

    let loop = EmbeddedEventLoop()
    private var nanoseconds = Stage.start

    init() {
        guard Self.isPrepared, Self.jobs.isEmpty else { found("jobs of the input before are left") }
        fuzz_clock_set(nanoseconds)
        loop.advanceTime(to: .uptimeNanoseconds(nanoseconds))
    }

    /// Drops what is still scheduled: a loop that goes would otherwise be kept by its own timers.
    func end() {
        do {
            try loop.syncShutdownGracefully()
        } catch {
            found("the loop does not end: \(error)")
        }
    }

    /// All that can happen now.
    func turn() {
        var turns = 0
        repeat {
            loop.run()
            for _ in 0 ..< Self.jobs.count {
                if let job = Self.jobs.popFirst() { fuzz_run_job(job) }
            }
            loop.run()
            turns += 1
            if turns > Self.maxTurns { found("tasks keep each other running") }
        } while !Self.jobs.isEmpty
    }

    /// Time passes in steps short enough that no timer is late by much.
    func pass(_ milliseconds: Int) {
        let step = milliseconds < 100 ? 5 : 100
        var left = milliseconds
        while left > 0 {
            nanoseconds += UInt64(min(step, left)) * 1_000_000
            left -= step
            fuzz_clock_set(nanoseconds)
            loop.advanceTime(to: .uptimeNanoseconds(nanoseconds))
            turn()
        }
    }

    /// Lets time pass until `isMet`. - Returns: whether it was, within `milliseconds`.
    func pass(atMost milliseconds: Int, until isMet: () -> Bool) -> Bool {
        turn()
        var left = milliseconds
        while !isMet(), left > 0 {
            pass(100)
            left -= 100
        }
        return isMet()
    }
}
