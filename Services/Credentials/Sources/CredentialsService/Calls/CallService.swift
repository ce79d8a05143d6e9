import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import Synchronization

/// What a call needs to know at the moment it begins.
package struct CallSurroundings: Sendable {
    /// Destinations with their secrets.
    package var table: DestinationTable
    /// The way out.
    package var client: OutboundClient
    /// Access tokens of destinations with preset `oauth2`.
    package let tokens: OAuthTokens

    /// Table and client of a moment.
    package init(table: DestinationTable, client: OutboundClient, tokens: OAuthTokens = OAuthTokens()) {
        self.table = table
        self.client = client
        self.tokens = tokens
    }
}

/// Serves `Credentials.Call`: decide, record, inject, exchange, clean.
package final class CallService: CredentialsHandler {
    private let surroundings: Mutex<CallSurroundings>
    private let audit: AuditTrail
    private let onDecoy: @Sendable (AuditEvent) -> Void
    /// Calls that can be ended from outside.
    let live = LiveExchanges()

    /// A service that records its decisions in `audit`.
    /// - Parameter onDecoy: told of every call that would use a honeytoken, after it was recorded.
    package init(
        _ surroundings: CallSurroundings, audit: AuditTrail, onDecoy: @escaping @Sendable (AuditEvent) -> Void = { _ in }
    ) {
        self.surroundings = Mutex(surroundings)
        self.audit = audit
        self.onDecoy = onDecoy
    }

    /// What calls begin with from now on.
    var current: CallSurroundings { surroundings.withLock { $0 } }

    /// Calls that begin from now on see the new table and client; those under way keep theirs.
    func replace(_ change: (inout CallSurroundings) -> Void) { surroundings.withLock { change(&$0) } }

    package func call(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ call: ServerCall, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        do {
            try await serve(requests, call, replies)
        } catch let error as CallError where error.notProcessed {
            // Said here only while nothing has gone out.
            throw Refusal(error)
        }
    }

    private func serve(
        _ requests: TypedReader<CredentialsAPI.CallRequest>, _ call: ServerCall, _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let arrived = MonotonicTime.now()
        guard let first = try await requests.next() else { throw Self.nothing }
        try await serve(try exchange(first, call, arrived), call, requests, replies)
    }

    private static let nothing = CallError(
        .invalidArgument, reason: "invalid_request", message: "the call ended before its first message", notProcessed: true)

    @inline(never)
    private func exchange(
        _ first: CredentialsAPI.CallRequest, _ call: ServerCall, _ arrived: MonotonicTime
    ) throws -> Exchange {
        let current = current
        let (admitted, decision) = try admit(first, call, current.table)
        return Exchange(
            first, admitted, client: current.client, tokens: current.tokens, loop: call.eventLoop, arrived: arrived,
            outcome: CallOutcome(decision: decision))
    }

    @inline(never)
    private func serve(
        _ exchange: Exchange, _ call: ServerCall, _ requests: TypedReader<CredentialsAPI.CallRequest>,
        _ replies: TypedWriter<CredentialsAPI.CallReply>
    ) async throws {
        let metrics = exchange.destination.metrics
        let ticket = try enter(exchange)
        metrics.inFlight.add(1)
        defer {
            metrics.inFlight.add(-1)
            leave(exchange, ticket)
        }
        do {
            try await exchange.run(requests, replies)
            metrics.answered.add()
            recordEnd(of: exchange, call, nil)
        } catch {
            metrics.failed.add()
            recordEnd(of: exchange, call, (error as? CallError)?.reason ?? "cancelled")
            throw error
        }
    }

    private func recordEnd(of exchange: Exchange, _ call: ServerCall, _ failure: String?) {
        let end = AuditEvent(
            endOf: exchange.outcome, peer: call.peer, destination: exchange.destination.configuration.name,
            request: call.metadata.requestID, failure: failure)
        // Refused while too much waits to be written: the trail's failure is told by then, and the decision is on record.
        _ = try? audit.record(end)
    }

    /// Decides, and puts the decision on record before anything goes out.
    private func admit(
        _ request: CredentialsAPI.CallRequest, _ call: ServerCall, _ table: DestinationTable
    ) throws(CallError) -> (AdmittedCall, UInt64) {
        let name = request.destination ?? ""
        var event = AuditEvent(
            "call", "allow", peer: call.peer, destination: DestinationConfiguration.isName(name) ? name : "?",
            method: request.method.flatMap { HeaderSyntax.isMethod($0) ? $0 : nil } ?? "", request: call.metadata.requestID,
            tenant: call.metadata.tenant)
        event.uid = call.peerUID
        event.pid = call.peerPID
        event.path = request.path ?? "/"
        var isCallers = true
        do throws(CallError) {
            let destination = try table.find(name)
            event.secret = destination.configuration.secret ?? ""
            event.host = destination.place
            isCallers = destination.callers.contains(call.peer)
            if table.isStale, !event.secret.isEmpty { event.reason = "stale" }
            if destination.isDecoy {
                event.event = "honeytoken"
                throw DestinationTable.unknown(name)
            }
            let admitted = try AdmittedCall(request, destination, peer: call.peer)
            return (admitted, try audit.record(event))
        } catch {
            guard error.reason != "credentials_unavailable" else { throw error }
            event.decision = "deny"
            // The caller is told that there is no such destination; the operator, that it asked for one that is not its own.
            event.reason = isCallers ? error.reason : "caller_denied"
            try audit.record(event)
            if event.event == "honeytoken" { onDecoy(event) }
            throw error
        }
    }
}
