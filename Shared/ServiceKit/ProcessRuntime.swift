import NIOCore
import NIOPosix

/// The one event loop of a process, which is also Swift Concurrency's global executor.
///
/// Six processes share two cores, so one loop each is enough, and with the loop as executor no call ever hops between
/// threads. The price is a rule: nothing may block the loop (`ServiceContext.blocking` exists for what must).
package enum ProcessRuntime {
    /// Takes over the global executor. Call once, first thing in `main`, on the main thread.
    package static func takeOver() {
        NIOSingletons.groupLoopCountSuggestion = 1
        let taken = NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor()
        precondition(taken, "bug: the Swift runtime's executor hook is missing; is the runtime linked dynamically?")
    }

    /// The loop.
    package static var eventLoop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }
}
