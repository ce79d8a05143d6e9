import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import NIOCore

extension EdgeServices {
    /// Comes right before an admitted request is sent out. Without an Idempotency-Key it does nothing.
    ///
    /// With one the work outlives its client from here on, so that there is an answer for whoever asks again; its place among the
    /// running requests, which bounds such runs, and the request's deadline stay the same.
    /// - Parameter outlives: false: the work ends when the client leaves.
    /// - Throws: `EdgeError`: the request must not be sent out.
    @inline(never)
    func dispatch(_ exchange: Exchange, _ caller: Caller, outlives: Bool = true) async throws {
        guard caller.isIdempotent else { return }
        Failpoint.pass("edge.claimed")
        if outlives { exchange.connection.outliveClient() }
        // All tasks of this process run on its one event loop.
        let shared = NIOLoopBound(exchange, eventLoop: ProcessRuntime.eventLoop)
        claims.hold(caller) { why in
            ProcessRuntime.eventLoop.execute { shared.value.interrupt(why) }
        }
        if caller.isPossibleDuplicate {
            exchange.event.possibleDuplicate = true
            claims.noteDuplicate(caller, exchange.scope.id)
        }
        try await claims.dispatch(caller, exchange.metadata)
        exchange.isDispatched = true
        Failpoint.pass("edge.dispatched")
    }
}

extension Exchange {
    /// Nobody is there to be answered, and nothing goes on without: the client's leave ends the request.
    var hasLeft: Bool { connection.clientLeft && !connection.outlivesClient }

    /// Ends the work on this request.
    func interrupt(_ why: HeldClaims.Interruption) {
        if why == .lost { hasLostClaim = true }
        connection.interruptWork()
    }
}

extension HeldClaims {
    /// Counts and logs it.
    func noteDuplicate(_ caller: Caller, _ requestID: String) {
        duplicates.add()
        logger.notice(
            "a request runs again although an earlier run of it may have been billed",
            metadata: ["request": "\(requestID)", "key": "\(caller.keyID)", "tenant": "\(caller.tenant)"])
    }
}
