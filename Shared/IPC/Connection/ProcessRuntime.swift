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
        bh_take_global_executor { job in
            nonisolated(unsafe) let job = job
            ProcessRuntime.eventLoop.execute { bh_run_job(job) }
        }
    }

    /// The loop.
    package static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }
}
