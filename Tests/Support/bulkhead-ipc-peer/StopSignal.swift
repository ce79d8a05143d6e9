import Glibc
import NIOCore
import NIOPosix

/// SIGTERM and SIGINT, for verbs that end in order.
enum StopSignal {
    private static func stops() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT] { sigaddset(&set, number) }
        return set
    }

    /// Blocks the signals for this thread and all it will make. First thing in `main`.
    static func block() {
        var set = stops()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Succeeds on `loop` with the first of them.
    static func next(_ loop: any EventLoop) -> EventLoopFuture<Int32> {
        let promise = loop.makePromise(of: Int32.self)
        blockingThread {
            var set = stops()
            var number: Int32 = 0
            while sigwait(&set, &number) != 0 {}
            promise.succeed(number)
        }
        return promise.futureResult
    }
}

/// Runs `body` on a thread of its own, which lives as long as the process: for what blocks.
func blockingThread(_ body: @escaping @Sendable () -> Void) {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    pool.submit { _ in body() }
}
