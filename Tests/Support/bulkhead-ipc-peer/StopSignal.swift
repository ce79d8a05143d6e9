import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// SIGTERM and SIGINT, for verbs that end in order. They are blocked before the first thread exists and waited for on the main
/// thread; as long as no verb asked for them, the process ends by them.
enum StopSignal {
    private static let listener = Mutex<EventLoopPromise<Void>?>(nil)

    /// Blocks the signals for this thread and all it will make. First thing in `main`.
    static func block() {
        var set = signals()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Succeeds with the first of them.
    static func next(_ loop: any EventLoop) -> EventLoopFuture<Void> {
        let promise = loop.makePromise(of: Void.self)
        listener.withLock { $0 = promise }
        return promise.futureResult
    }

    /// Waits for signals for as long as the process lives. The last thing in `main`.
    static func waitForEver() -> Never {
        var set = signals()
        while true {
            var number: Int32 = 0
            guard sigwait(&set, &number) == 0 else { continue }
            if let promise = listener.withLock({ $0 }) { promise.succeed() } else { end(by: number) }
        }
    }

    private static func end(by number: Int32) {
        signal(number, SIG_DFL)
        var set = signals()
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
    }

    private static func signals() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT] { sigaddset(&set, number) }
        return set
    }
}

/// Runs `body` on a thread of its own, which lives as long as the process: for what blocks.
func blockingThread(_ body: @escaping @Sendable () -> Void) {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    pool.submit { _ in body() }
}
