import Glibc
import Synchronization

/// SIGTERM, SIGINT and SIGHUP of the process.
///
/// They are blocked before the first thread exists and waited for on the main thread, so that none is lost while a service
/// starts. Until somebody listens the default holds: the process ends by the signal, which is right for an admin verb and for
/// a service that serves nothing yet.
package enum StopSignals {
    private struct Listener: Sendable {
        let stop: @Sendable (Int32) -> Void
        let reload: @Sendable () -> Void
    }

    private static let listener = Mutex<Listener?>(nil)

    /// Blocks the signals for this thread and all it will make. First thing in `main`.
    package static func block() {
        var set = signals()
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// From now on the callbacks are called, on the main thread: they hop to where they belong themselves.
    /// - Parameters:
    ///   - stop: SIGTERM or SIGINT came.
    ///   - reload: SIGHUP came.
    package static func listen(stop: @escaping @Sendable (Int32) -> Void, reload: @escaping @Sendable () -> Void) {
        listener.withLock { $0 = Listener(stop: stop, reload: reload) }
    }

    /// Waits for signals for as long as the process lives. The last thing in `main`.
    package static func waitForEver() -> Never {
        var set = signals()
        while true {
            var number: Int32 = 0
            guard sigwait(&set, &number) == 0 else { continue }
            if let listener = listener.withLock({ $0 }) {
                number == SIGHUP ? listener.reload() : listener.stop(number)
            } else {
                endBy(number)
            }
        }
    }

    private static func endBy(_ number: Int32) {
        signal(number, SIG_DFL)
        var set = signals()
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
    }

    private static func signals() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, number) }
        return set
    }
}
