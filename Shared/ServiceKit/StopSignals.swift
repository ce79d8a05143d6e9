import Dispatch
import Glibc

/// SIGTERM and SIGINT ask for a drain, SIGHUP for a reload. Handled on a Dispatch queue; the callbacks hop to where they
/// belong themselves.
package final class StopSignals: Sendable {
    // Never touched again after init; Dispatch sources may be released from any thread.
    private nonisolated(unsafe) let sources: [any DispatchSourceSignal]

    /// Begins to listen; the default actions of the signals are off from now on.
    package init(stop: @escaping @Sendable (Int32) -> Void, reload: @escaping @Sendable () -> Void) {
        let queue = DispatchQueue(label: "bulkhead.signals")
        sources = [SIGTERM, SIGINT, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { number == SIGHUP ? reload() : stop(number) }
            source.resume()
            return source
        }
    }
}
