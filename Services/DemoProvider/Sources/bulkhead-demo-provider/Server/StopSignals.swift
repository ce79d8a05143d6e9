import Glibc

/// SIGTERM and SIGINT, held back for one thread that waits for them.
struct StopSignals {
    private var set = sigset_t()

    /// Blocks them in this thread and in all that it starts from now on.
    init() {
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Returns when one of them has arrived.
    func wait() {
        var set = set
        var received: CInt = 0
        while sigwait(&set, &received) != 0 {}
    }
}
