import BulkheadIPC
import Glibc

/// A program that measures: one loop for sockets and tasks alike, as in the services.
package enum BenchProcess {
    /// Runs `body`, and ends the process after it. Called from `main`, before anything else makes a loop or a task; not on the main
    /// actor, whose thread sleeps.
    package nonisolated static func run(_ body: @escaping @Sendable () async -> Void) -> Never {
        signal(SIGPIPE, SIG_IGN)
        ProcessRuntime.takeOver()
        Task(name: "bench") {
            await body()
            exit(0)
        }
        while true { pause() }
    }
}
