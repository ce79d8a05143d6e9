import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadObservability
import Logging

/// Hands recorded streams to session: a bounded line, a bounded number of calls at once.
final class StreamArchive: Sendable {
    /// What became of a batch.
    enum Outcome: Sendable {
        case taken
        /// Session takes no more of this stream.
        case refused
        /// It may be tried again: pieces that are there already change nothing.
        case failed
    }

    /// Streams that wait for a call; each is there once.
    private static let capacity = 16_384
    private static let concurrency = 64

    private let peers: EdgePeers
    private let logger: Logger
    private let refusals: Counter
    private let recorders: AsyncStream<StreamRecorder>
    private let line: AsyncStream<StreamRecorder>.Continuation

    init(peers: EdgePeers, logger: Logger, metrics: MetricsRegistry) {
        self.peers = peers
        self.logger = logger
        refusals = metrics.counter(
            "edge_streams_not_kept", help: "Streams with an Idempotency-Key that session did not take to their end.")
        (recorders, line) = AsyncStream.makeStream(of: StreamRecorder.self, bufferingPolicy: .bufferingOldest(Self.capacity))
    }

    /// - Returns: false when the line is full.
    func lineUp(_ recorder: StreamRecorder) -> Bool {
        if case .enqueued = line.yield(recorder) { return true }
        refusals.add()
        return false
    }

    /// Delivers until cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            for await recorder in recorders {
                if running == Self.concurrency {
                    await group.next()
                    running -= 1
                }
                group.addTask { await recorder.deliver() }
                running += 1
            }
        }
    }

    func append(_ request: SessionAPI.AppendStreamRequest) async -> Outcome {
        do {
            let reply = try await peers.session.appendStream(request, peers.sessionOptions(CallMetadata(), waits: true))
            guard reply.staleFence || reply.isFull else { return .taken }
        } catch {
            logger.debug("a piece of a stream was not kept", metadata: ["error": "\(error)"])
            let code = (error as? CallError)?.code
            guard code == .unimplemented || code == .invalidArgument || code == .notFound else { return .failed }
        }
        refusals.add()
        return .refused
    }
}
