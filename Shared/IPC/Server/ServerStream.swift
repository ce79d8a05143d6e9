import BulkheadCore
import NIOCore

/// One call a server serves.
///
/// States: receiving (a unary request is not complete) → running (the handler's task) → over. A cancelled call stays running,
/// and keeps its place among the concurrent calls, until its handler has returned.
///
/// `@unchecked Sendable`: touched on the connection's event loop only.
final class ServerStream: @unchecked Sendable {
    let id: UInt32
    let entry: ServerCore.Entry
    let call: ServerCall
    let inbound: InboundMessages?
    let outbound: OutboundMessages?
    var assembler = MessageAssembler()
    /// Who runs the handler: a task of its own for a stream, a worker for a unary call.
    var task: Task<Void, Never>?
    var worker: HandlerWorkers.Worker?
    var isRunning = false
    /// Of the unary request its handler works on.
    var requestBytes = 0
    var isOver = false
    /// Why the handler was told to stop.
    private(set) var cancellation: CallError?
    /// The client has gone: no status is sent.
    private(set) var isSilenced = false

    init(_ id: UInt32, _ entry: ServerCore.Entry, _ call: ServerCall, _ inbound: InboundMessages?, _ outbound: OutboundMessages?)
    {
        self.id = id
        self.entry = entry
        self.call = call
        self.inbound = inbound
        self.outbound = outbound
    }

    func cancel(_ error: CallError, silently: Bool) {
        if silently { isSilenced = true }
        guard cancellation == nil, !isOver else { return }
        cancellation = error
        inbound?.finish(.failure(error), isAbandoned: true)
        outbound?.close(error)
        task?.cancel()
        worker?.cancel()
    }

    func end() {
        isOver = true
        task = nil
        worker = nil
        let over = CallError(.cancelled, reason: "call_ended", message: "the handler has ended the call")
        inbound?.finish(.failure(over))
        outbound?.close(over)
    }

    /// What the client is told when the handler threw.
    func callError(_ error: any Error, service: String) -> CallError {
        if let cancellation, error is CancellationError || (error as? CallError)?.code == .cancelled { return cancellation }
        var told =
            (error as? Refusal)?.error ?? error as? CallError
            ?? (error is CancellationError
                ? CallError(.cancelled, message: "the handler was cancelled")
                : CallError(.unknown, message: "the handler of \(entry.descriptor.name) failed with \(type(of: error))"))
        if told.origin == nil { told.origin = service }
        if !(error is Refusal) { told.notProcessed = false }
        return told
    }
}
