import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import Logging
import NIOCore
import Synchronization

// States of a claim here: held (from before it is sent out) → settling (its end is being reported: nothing can end it any
// more) → forgotten. From held to forgotten too, when it is to become unknown. While held or settling it is renewed.

/// The admissions with an Idempotency-Key that run in this process. Session holds each for 30 seconds; here they are renewed.
final class HeldClaims: Sendable {
    /// Why a run is ended from outside.
    enum Interruption: Sendable {
        /// Another admission has taken the claim over.
        case lost
        /// The process ends.
        case shutdown
    }

    private struct Entry {
        let fence: Int
        var interrupt: (@Sendable (Interruption) -> Void)?
    }

    private static let interval = Duration.seconds(10)
    /// After a renewal that session did not get.
    private static let retryInterval = Duration.seconds(1)
    /// Claims named in one call: what session takes.
    private static let perCall = 8192

    private let peers: EdgePeers
    /// The run of edge, as admissions name it.
    let run: Int
    let logger: Logger
    private let losses: Counter
    /// Requests that ran again although an earlier run may have been billed.
    let duplicates: Counter
    private let entries = Mutex<[String: Entry]>([:])

    init(peers: EdgePeers, run: Int, logger: Logger, metrics: MetricsRegistry) {
        self.peers = peers
        self.run = run
        self.logger = logger
        losses = metrics.counter(
            "edge_lost_claims", help: "Requests with an Idempotency-Key that were ended because another run had taken over.")
        duplicates = metrics.counter(
            "edge_possible_duplicates", help: "Requests that ran again although an earlier run of them may have been billed.")
    }

    /// How many there are; as many as requests run, at most, and reports on their ends wait.
    var count: Int { entries.withLock { $0.count } }

    /// - Parameter interrupt: ends the run; called at most once.
    func hold(_ caller: Caller, interrupt: @escaping @Sendable (Interruption) -> Void) {
        entries.withLock { $0[caller.admissionID] = Entry(fence: caller.fence, interrupt: interrupt) }
    }

    /// The end is being reported. It is renewed until session has the report, as its key is not free before.
    func settling(_ admissionID: String) { entries.withLock { $0[admissionID]?.interrupt = nil } }

    func forget(_ admissionID: String) { entries.withLock { $0[admissionID] = nil } }

    /// Writes down at session that the work begins.
    /// - Throws: `EdgeError` 409 when another admission holds the claim; 503 when session did not answer: then it must not begin.
    func dispatch(_ caller: Caller, _ metadata: CallMetadata) async throws {
        let request = SessionAPI.DispatchRequest(admissionID: caller.admissionID, fence: caller.fence)
        let reply: SessionAPI.DispatchReply
        do {
            reply = try await peers.session.dispatch(request, peers.sessionOptions(metadata, waits: true))
        } catch let error as CallError {
            try Task.checkCancellation()
            throw IdempotencyRefusal.sessionAway(error.retryAfter)
        }
        guard !reply.staleFence else {
            losses.add()
            throw IdempotencyRefusal.running()
        }
    }

    /// Ends all that run: their time is over.
    func interruptAll() {
        for interrupt in entries.withLock({ $0.values.compactMap(\.interrupt) }) { interrupt(.shutdown) }
    }

    /// Renews until cancelled.
    /// - Parameter isBusy: whether requests without an Idempotency-Key run: their places are held by the same word.
    func renew(on eventLoop: any EventLoop, isBusy: @Sendable () -> Bool) async {
        var wait = Self.interval
        while true {
            do { try await eventLoop.sleep(wait) } catch { return }
            wait = await renewOnce(isBusy: isBusy()) ? Self.interval : Self.retryInterval
        }
    }

    private func renewOnce(isBusy: Bool) async -> Bool {
        var held = entries.withLock { $0.map { SessionAPI.Held(admissionID: $0.key, fence: $0.value.fence) } }[...]
        guard isBusy || !held.isEmpty else { return true }
        repeat {
            let request = SessionAPI.RenewRequest(edgeRun: run, held: Array(held.prefix(Self.perCall)))
            held = held.dropFirst(Self.perCall)
            do {
                let reply = try await peers.session.renew(request, peers.sessionOptions(CallMetadata(), waits: true))
                for admission in reply.lost { lose(admission) }
            } catch {
                logger.debug("what runs was not renewed", metadata: ["error": "\(error)"])
                return false
            }
        } while !held.isEmpty
        return true
    }

    private func lose(_ admissionID: String) {
        let interrupt = entries.withLock { entries -> (@Sendable (Interruption) -> Void)? in
            guard let interrupt = entries[admissionID]?.interrupt else { return nil }
            entries[admissionID] = nil
            return interrupt
        }
        guard let interrupt else { return }
        losses.add()
        interrupt(.lost)
    }
}
