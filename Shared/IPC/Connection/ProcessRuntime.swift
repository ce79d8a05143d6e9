import CBulkheadSystem
import NIOCore
import NIOPosix

/// The one event loop of a process, which is also Swift Concurrency's global executor.
///
/// Six processes share two cores, so one loop each is enough, and with the loop as executor no call ever hops between
/// threads. The price is a rule: nothing may block the loop (`ServiceContext.blocking` exists for what must).
package enum ProcessRuntime {
    /// Takes over the global executor. Call once, first thing in `main`, before any task.
    ///
    /// Not NIO's own take-over: that runs jobs with the loop as a serial executor, so that every return from an await to
    /// code without an actor goes through the loop's queue once more (measured: 75 jobs a request in edge, 7 with this).
    package static func takeOver() {
        NIOSingletons.groupLoopCountSuggestion = 1
        // As in Package.swift, for the packages too: nearly everything is confined to the one loop, and the checks are 7 % of the
        // instructions of a request.
        bh_skip_access_checks()
        bh_take_global_executor { job in
            guard let job else { return }
            LoopJobs.process.enqueue(job)
        }
        LoopJobs.isInstalled = true
    }

    /// The loop.
    package static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }
}

/// The jobs of the process's tasks, in order, waiting for the loop.
///
/// A queue of its own instead of a task of the loop for each job: no allocation a job, and what a read has made ready can run
/// before that read's answers are written (`runNow`), so that they leave with the same write. Bounded by the number of tasks:
/// each is in it once at most.
///
/// `@unchecked Sendable`: touched on the loop only; other threads hand their jobs to the loop.
final class LoopJobs: @unchecked Sendable {
    static let process = LoopJobs(ProcessRuntime.eventLoop)

    /// Jobs run in one go at most, so that sockets and timers get their turn.
    private static let runLimit = 1024

    private let eventLoop: any EventLoop
    private var jobs = CircularBuffer<UnsafeMutableRawPointer>(initialCapacity: 256)
    private var isScheduled = false
    private var isRunning = false

    private init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: UnsafeMutableRawPointer) {
        if eventLoop.inEventLoop {
            append(job)
        } else {
            nonisolated(unsafe) let job = job
            eventLoop.execute { self.append(job) }
        }
    }

    private func append(_ job: UnsafeMutableRawPointer) {
        jobs.append(job)
        guard !isScheduled, !isRunning else { return }
        isScheduled = true
        eventLoop.execute { LoopJobs.process.runScheduled() }
    }

    private func runScheduled() {
        isScheduled = false
        runNow()
    }

    /// Runs what waits. On the loop only; does nothing when it is running already.
    private func runNow() {
        guard !jobs.isEmpty, !isRunning else { return }
        isRunning = true
        var left = Self.runLimit
        while left > 0, let job = jobs.popFirst() {
            bh_run_job(job)
            left -= 1
        }
        isRunning = false
        guard !jobs.isEmpty, !isScheduled else { return }
        isScheduled = true
        eventLoop.execute { LoopJobs.process.runScheduled() }
    }

    /// Runs what waits: called on the loop by whoever has made tasks ready and is about to write. Nothing happens when
    /// `eventLoop` is not the one that runs the process's tasks.
    static func runReady(on eventLoop: any EventLoop) {
        guard isInstalled, eventLoop === process.eventLoop else { return }
        process.runNow()
    }

    /// Whether the process took over. Written once, before the first task.
    nonisolated(unsafe) static var isInstalled = false
}
