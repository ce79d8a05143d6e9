import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import BulkheadResilience
import BulkheadServiceKit
import Logging
import NIOCore
import Synchronization

/// Tells session what was spent without it, as soon as it is there: nothing is forgotten before session says that it is durable.
/// What a process has not told when it ends is lost.
final class SpendReporter: Sendable {
    /// Pauses while session is away: the first, doubled up to the last.
    private static let pauses = (first: Duration.milliseconds(100), longest: Duration.seconds(1))
    /// How often a report is made that session refuses, though it is there.
    private static let triesAtRefusal = 10
    /// For a commit of session's store.
    private static let deadline = Duration.seconds(5)

    private let peers: EdgePeers
    private let logger: Logger
    private let lost: Counter
    private let book = Mutex(SpendBook())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init(peers: EdgePeers, logger: Logger, metrics: MetricsRegistry) {
        self.peers = peers
        self.logger = logger
        lost = metrics.counter(
            "edge_spend_lost", help: "Requests served while session was away whose cost it will never hear of.")
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// What session was not told of yet.
    var total: SpentSum { book.withLock { $0.total } }

    /// Nano-dollars of a budget that session does not know to be spent.
    func owed(_ owner: BudgetOwner) -> Int { book.withLock { $0.owed(owner) } }

    /// Takes in what a request came to that ended now.
    func add(_ request: SessionAPI.SettleRequest, of subject: SpendSubject) {
        let sum = SpentSum(
            requests: 1, inputTokens: request.inputTokens, outputTokens: request.outputTokens,
            nanousd: request.costNanousd ?? 0, atMS: WallClock.unixNanoseconds() / 1_000_000)
        guard book.withLock({ $0.add(sum, of: subject) }) else {
            lost.add()
            return logger.error(
                "what a request cost is lost: too many spend while session is away",
                metadata: ["key": "\(subject.keyID)", "nanousd": "\(sum.nanousd)"])
        }
        wake.yield()
    }

    /// Reports until cancelled.
    func run() async {
        for await _ in wakes {
            var backoff = Backoff(base: Self.pauses.first, limit: Self.pauses.longest, seed: .random(in: 0 ... .max))
            var refusals = 0
            while !Task.isCancelled, let report = next() {
                if await tell(report, &refusals) {
                    backoff.reset()
                    refusals = 0
                } else {
                    do { try await ProcessRuntime.eventLoop.sleep(backoff.next()) } catch { return }
                }
            }
        }
    }

    /// Waits until all was told, at most until `deadline`; the log says what was not.
    func flush(until deadline: MonotonicTime, on eventLoop: any EventLoop) async {
        while total.requests > 0, .now() < deadline {
            do { try await eventLoop.sleep(.milliseconds(5)) } catch { break }
        }
        let rest = total
        guard rest.requests > 0 else { return }
        lost.add(rest.requests)
        logger.error("session is away: what was spent without it is lost with this process", metadata: Self.facts(rest))
    }

    private func next() -> SpendBook.Report? {
        book.withLock { book in
            book.report("p" + TraceContext.digits(QuickRandom.next(), 16) + TraceContext.digits(QuickRandom.next(), 8))
        }
    }

    /// - Returns: false when it is to be told again.
    private func tell(_ report: SpendBook.Report, _ refusals: inout Int) async -> Bool {
        let request = SessionAPI.ReportSpendRequest(reportID: report.id, spent: report.entries)
        let options = CallOptions(deadline: .now() + Self.deadline, isIdempotent: true, waitForReady: Self.pauses.longest)
        do {
            let reply = try await peers.session.reportSpend(request, options)
            let sum = book.withLock { $0.end() }
            logger.notice("session was told what was spent without it", metadata: Self.facts(sum))
            guard reply.unknown > 0 else { return true }
            logger.error("session does not know some keys that spent", metadata: ["entries": "\(reply.unknown)"])
        } catch {
            logger.debug("what was spent without session was not told", metadata: ["error": "\(error)"])
            guard Self.isRefusal(error) else { return false }
            refusals += 1
            guard refusals >= Self.triesAtRefusal else { return false }
            let sum = book.withLock { $0.end() }
            lost.add(sum.requests)
            logger.error(
                "session refuses to hear what was spent without it",
                metadata: Self.facts(sum).merging(["error": "\(error)"]) { first, _ in first })
        }
        return true
    }

    private static func isRefusal(_ error: any Error) -> Bool {
        switch (error as? CallError)?.code {
        case .invalidArgument, .internal, .failedPrecondition, .permissionDenied, .notFound: true
        default: false
        }
    }

    private static func facts(_ sum: SpentSum) -> Logger.Metadata {
        ["requests": "\(sum.requests)", "usd": "\(AnswerFacts.dollars(sum.nanousd))"]
    }
}
