import BulkheadAPI
import BulkheadCore
import BulkheadObservability
import BulkheadStore
import Logging
import NIOCore
import NIOPosix
import SessionService
import Synchronization
import Testing

/// Claims and kept streams on a real SQLite file, without keys and limits. The store's clock is moved by hand.
final class ClaimBench: Sendable {
    /// A day.
    static let retention: Int64 = 86_400_000

    let folder: TemporaryFolder
    /// How long answers are kept, in milliseconds.
    let retention: Int64
    let clock = StoreHand()
    let store: SQLiteStore
    let statements = Names()
    let registry = MetricsRegistry(service: "session")
    let desk: ClaimDesk

    init(retention: Int64 = ClaimBench.retention) async throws {
        self.retention = retention
        folder = try TemporaryFolder()
        let (clock, statements) = (clock, statements)
        store = try SQLiteStore.open(
            path: folder.store, schema: SessionSchema.all, clock: { clock.now },
            observer: StoreObserver(ran: { statements.append($0.name) }))
        desk = try await ClaimDesk.open(store, metrics: SessionMetrics(registry))
    }

    var administration: IdempotencyAdministration {
        IdempotencyAdministration(
            desk: desk, retention: retention, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Stale words counted so far.
    var staleFences: Int {
        let line = registry.render().split(separator: "\n").first { $0.hasPrefix("bulkhead_session_stale_fences_total") }
        return line.flatMap { $0.split(separator: " ").last.flatMap { Int($0) } } ?? -1
    }

    func claim(
        _ key: String, as admission: String, tenant: String = "acme", owner: String = ClaimOwner.user("ada"), body: UInt8 = 1,
        _ change: (inout SessionAPI.AdmitRequest) -> Void = { _ in }
    ) async throws -> ClaimOutcome {
        var request = SessionAPI.AdmitRequest(
            route: "/v1/chat/completions", idempotencyKey: key, requestDigest: ByteBuffer(repeating: body, count: 32),
            requestID: "req-\(admission)")
        change(&request)
        return try await desk.claim(request, admission: admission, tenant: tenant, owner: owner, retention: retention)
    }

    /// Claims, and fails the test when it is not admitted. - Returns: its fence and stream.
    func admitted(
        _ key: String, as admission: String, _ change: (inout SessionAPI.AdmitRequest) -> Void = { _ in }
    ) async throws -> Run {
        let outcome = try await claim(key, as: admission, change)
        guard case .admitted(let fence, _, let stream) = outcome else {
            Issue.record("not admitted: \(outcome)")
            throw CallError(.internal, message: "not admitted")
        }
        return Run(admission: admission, fence: Int(fence), stream: stream ?? "")
    }

    /// Claims and dispatches a request whose answer is a stream.
    func stream(_ key: String, as admission: String) async throws -> Run {
        let run = try await admitted(key, as: admission) { $0.streams = true }
        #expect(try await dispatch(run))
        return run
    }

    /// - Returns: whether the run holds the claim.
    func dispatch(_ run: Run) async throws -> Bool {
        try await !desk.dispatch(SessionAPI.DispatchRequest(admissionID: run.admission, fence: run.fence)).staleFence
    }

    /// - Returns: whether the run holds the claim.
    func renew(_ run: Run) async throws -> Bool {
        try await desk.renew([SessionAPI.Held(admissionID: run.admission, fence: run.fence)]).lost.isEmpty
    }

    /// Keeps an answer, or with nil gives the key free. - Returns: whether the run held the claim.
    @discardableResult
    func settle(_ run: Run, _ body: String?, status: Int = 200) async throws -> Bool {
        let answer = body.map {
            SessionAPI.StoredAnswer(status: status, contentType: "application/json", body: ByteBuffer(string: $0))
        }
        return try await desk.settle(
            SessionAPI.SettleRequest(admissionID: run.admission, status: status, answer: answer, fence: run.fence),
            retention: retention)
    }

    /// Ends a stream. - Returns: whether the run held the claim.
    @discardableResult
    func end(_ run: Run, lastSeq: Int, incomplete: Bool = false, truncated: Bool = false) async throws -> Bool {
        let answer = SessionAPI.StoredAnswer(status: 200, contentType: "text/event-stream", headers: ["x-bulkhead-cache: miss"])
        return try await desk.settle(
            SessionAPI.SettleRequest(
                admissionID: run.admission, status: 200, answer: answer, fence: run.fence,
                streamEnd: SessionAPI.StreamEnd(lastSeq: lastSeq, incomplete: incomplete, truncated: truncated)),
            retention: retention)
    }

    /// Adds the pieces `first` to `last`, each its number as text or as many bytes as told.
    @discardableResult
    func append(_ run: Run, _ numbers: ClosedRange<Int>, bytes: Int? = nil) async throws -> SessionAPI.AppendStreamReply {
        let pieces = numbers.map { seq in
            SessionAPI.StreamPiece(
                seq: seq, bytes: bytes.map { ByteBuffer(repeating: UInt8(truncatingIfNeeded: seq), count: $0) } ?? Self.piece(seq)
            )
        }
        return try await desk.append(
            SessionAPI.AppendStreamRequest(
                admissionID: run.admission, fence: run.fence, streamID: run.stream, pieces: pieces))
    }

    static func piece(_ seq: Int) -> ByteBuffer { ByteBuffer(string: "data: \(seq)\n\n") }

    /// Reads a stream to its end.
    func read(
        _ stream: String, tenant: String = "acme", owner: String = ClaimOwner.user("ada"), after: Int = 0
    ) async throws -> [SessionAPI.ReadStreamReply] {
        let replies = Replies()
        try await follow(stream, tenant: tenant, owner: owner, after: after, into: replies)
        return replies.all
    }

    func follow(
        _ stream: String, tenant: String = "acme", owner: String = ClaimOwner.user("ada"), after: Int = 0, into replies: Replies
    ) async throws {
        try await desk.read(
            SessionAPI.ReadStreamRequest(tenant: tenant, streamID: stream, after: after, owner: owner),
            on: MultiThreadedEventLoopGroup.singleton.any()
        ) { replies.append($0) }
    }

    /// Rows of a table.
    func rows(_ table: String) async throws -> Int {
        let count = Statement("test.count.\(table)", "SELECT count(*) FROM \(table)")
        return try await store.transact { Int(try $0.rows(count, []).first?.integer(0) ?? -1) }
    }
}

/// An admission that holds a claim.
struct Run: Sendable {
    var admission: String
    var fence: Int
    var stream: String
}

/// A store's clock that a test moves, in milliseconds.
final class StoreHand: Sendable {
    private let time = Mutex<Int64>(1_800_000_000_000)

    var now: Int64 { time.withLock { $0 } }

    func move(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// Names of statements as they ran.
final class Names: Sendable {
    private let state = Mutex<[String]>([])

    func append(_ name: String) { state.withLock { $0.append(name) } }

    /// All since the last time.
    func take() -> [String] {
        state.withLock { names in
            defer { names = [] }
            return names
        }
    }
}

/// Replies of a stream, as they came.
final class Replies: Sendable {
    private struct State {
        var all: [SessionAPI.ReadStreamReply] = []
        var waiting: (count: Int, CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())

    var all: [SessionAPI.ReadStreamReply] { state.withLock { $0.all } }

    func append(_ reply: SessionAPI.ReadStreamReply) {
        let ready = state.withLock { state in
            state.all.append(reply)
            return state.all.count >= state.waiting?.count ?? .max ? state.waiting.take() : nil
        }
        ready?.1.resume()
    }

    /// Waits until there are so many.
    func reach(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.all.count < count { state.waiting = (count, continuation) }
                return state.all.count >= count
            }
            if isThere { continuation.resume() }
        }
    }
}

extension [SessionAPI.ReadStreamReply] {
    var pieces: [SessionAPI.StreamPiece] { flatMap(\.pieces) }
    var numbers: [Int] { pieces.map(\.seq) }
    var end: SessionAPI.StreamEnd? { last?.end }
}

extension ClaimOutcome {
    var isRunning: Bool { if case .running = self { true } else { false } }
    var isUnknown: Bool { if case .unknown = self { true } else { false } }
}
