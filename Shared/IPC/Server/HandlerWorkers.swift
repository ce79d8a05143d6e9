import NIOCore

/// A unary request on its way to its handler.
struct HandlerWork {
    let stream: ServerStream
    let message: ByteBuffer
}

/// Tasks that run unary handlers, one after another, so that a call does not pay for a task of its own (five allocations).
///
/// States of a worker: parked (waits for work) → working → parked … → ended. One whose task was cancelled with the call it
/// worked on is ended, for a cancelled task stays cancelled. At most `parkedLimit` stay parked; how many work at once is bounded
/// by the connection's limit of calls.
///
/// `@unchecked Sendable`: touched on the connection's event loop only.
final class HandlerWorkers: @unchecked Sendable {
    private static let parkedLimit = 64

    /// One worker, as long as its task lives.
    final class Worker: @unchecked Sendable {
        fileprivate var parked: UnsafeContinuation<HandlerWork?, Never>?
        fileprivate var task: Task<Void, Never>?
        fileprivate var isSpoiled = false

        /// Cancels the handler that runs.
        func cancel() {
            isSpoiled = true
            task?.cancel()
        }
    }

    private let eventLoop: any EventLoop
    private let execute: @Sendable (HandlerWork) async -> Void
    private var parked: [Worker] = []
    private var isClosed = false

    /// - Parameter execute: runs the handler and gives its result to the connection; never throws.
    init(_ eventLoop: any EventLoop, execute: @escaping @Sendable (HandlerWork) async -> Void) {
        self.eventLoop = eventLoop
        self.execute = execute
    }

    /// Starts the work soon, in the order of the calls to this method. - Returns: who does it.
    func start(_ work: HandlerWork) -> Worker {
        if let worker = parked.popLast(), let continuation = worker.parked.take() {
            continuation.resume(returning: work)
            return worker
        }
        let worker = Worker()
        worker.task = Task { await self.run(worker, first: work) }
        return worker
    }

    /// No work follows.
    func close() {
        isClosed = true
        for worker in parked { worker.parked.take()?.resume(returning: nil) }
        parked.removeAll()
    }

    private nonisolated func run(_ worker: Worker, first: HandlerWork) async {
        await execute(first)
        while let work = await next(worker) { await execute(work) }
    }

    private nonisolated func next(_ worker: Worker) async -> HandlerWork? {
        await withUnsafeContinuation { continuation in
            if eventLoop.inEventLoop {
                park(worker, continuation)
            } else {
                eventLoop.execute { self.park(worker, continuation) }
            }
        }
    }

    private func park(_ worker: Worker, _ continuation: UnsafeContinuation<HandlerWork?, Never>) {
        guard !isClosed, !worker.isSpoiled, parked.count < Self.parkedLimit else { return continuation.resume(returning: nil) }
        worker.parked = continuation
        parked.append(worker)
    }
}
