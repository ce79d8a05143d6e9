import Dispatch
import NIOCore
import Synchronization

/// An event loop for tests of code that only waits on it: every timer is due at once, so nothing sleeps. Remembers the waits.
///
/// `@unchecked Sendable`: used by one test's task.
final class ImmediateLoop: EventLoop, @unchecked Sendable {
    private let waits = Mutex<[TimeAmount]>([])

    /// The waits asked for so far.
    var asked: [TimeAmount] { waits.withLock { $0 } }

    var inEventLoop: Bool { true }
    func execute(_ task: @escaping @Sendable () -> Void) { task() }

    func submit<T>(_ task: @escaping @Sendable () throws -> T) -> EventLoopFuture<T> {
        let promise = makePromise(of: T.self)
        complete(promise, task)
        return promise.futureResult
    }

    func scheduleTask<T>(deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> { run(task) }

    func scheduleTask<T>(in wait: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        waits.withLock { $0.append(wait) }
        return run(task)
    }

    func preconditionInEventLoop(file: StaticString, line: UInt) {}
    func preconditionNotInEventLoop(file: StaticString, line: UInt) {}
    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) { callback(nil) }

    private func complete<T>(_ promise: EventLoopPromise<T>, _ task: () throws -> T) {
        do {
            promise.assumeIsolated().succeed(try task())
        } catch {
            promise.fail(error)
        }
    }

    private func run<T>(_ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        let promise = makePromise(of: T.self)
        complete(promise, task)
        return Scheduled(promise: promise, cancellationTask: {})
    }
}
