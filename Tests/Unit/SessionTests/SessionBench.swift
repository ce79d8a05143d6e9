import BulkheadAPI
import BulkheadCore
import BulkheadStore
import Foundation
import NIOCore
import SessionService
import Synchronization

/// A session without sockets, on a real SQLite file in a folder of its own. The clock is moved by hand.
final class SessionBench {
    let folder: TemporaryFolder
    let keys: KeyIndex
    let store: SQLiteStore
    let clock: HandClock
    let spend = SpendLedger()
    let local = LocalLimits()
    let limits: LimitDesk
    let claims: ClaimDesk
    let admission: Admission
    var now: Moment {
        get { clock.now }
        set { clock.now = newValue }
    }

    static let start = Moment(monotonic: MonotonicTime(nanoseconds: 1_000_000_000_000), unixMilliseconds: 1_800_000_000_000)

    /// - Parameter folder: of an earlier bench, to open its file again; nil: a new one.
    init(
        folder: TemporaryFolder? = nil, policy: LimitPolicy = LimitPolicy(perUser: nil, perTenant: nil),
        retention: Duration = .seconds(86_400)
    ) async throws {
        self.folder = try folder ?? TemporaryFolder()
        let clock = HandClock()
        self.clock = clock
        store = try SQLiteStore.open(
            path: self.folder.store, schema: SessionSchema.all, clock: { clock.now.unixMilliseconds })
        keys = try await KeyIndex.load(store)
        limits = LimitDesk(local: local, spend: spend, store: store, clock: LimitClock(HandClock().now))
        claims = try await ClaimDesk.open(store)
        admission = Admission(
            keys: keys, limits: limits, spend: spend, claims: claims, metrics: SessionMetrics(),
            settings: AdmissionSettings(policy: policy, idempotencyRetention: retention))
    }

    var administration: KeyAdministration {
        let present = now
        return KeyAdministration(index: keys, store: store, spend: spend, now: { present })
    }

    var tenants: TenantAdministration {
        let present = now
        return TenantAdministration(index: keys, store: store, spend: spend, now: { present })
    }

    func makeKey(_ tenant: String = "acme", _ change: (inout KeyCreation) -> Void = { _ in }) async throws -> KeyCreated {
        var asked = KeyCreation(tenant: tenant)
        change(&asked)
        return try await administration.create(asked)
    }

    func request(_ key: String, idempotency: String? = nil, body: UInt8 = 1) -> SessionAPI.AdmitRequest {
        SessionAPI.AdmitRequest(
            keyDigest: ByteBuffer(bytes: KeyDigest(of: key).bytes), route: "/v1/chat/completions", model: "assistant",
            idempotencyKey: idempotency, requestDigest: idempotency.map { _ in ByteBuffer(repeating: body, count: 32) })
    }

    func admit(_ key: String, idempotency: String? = nil, body: UInt8 = 1) async throws -> SessionAPI.AdmitReply {
        try await admission.admit(request(key, idempotency: idempotency, body: body), now: now)
    }

    func settle(_ admitted: SessionAPI.AdmitReply, answer: String?, cost: Int = 0) async throws {
        let stored = answer.map {
            SessionAPI.StoredAnswer(
                status: 200, contentType: "application/json", body: ByteBuffer(string: $0), headers: ["x-request-id: first"])
        }
        try await admission.settle(
            SessionAPI.SettleRequest(
                admissionID: admitted.admissionID, keyID: admitted.keyID, status: 200, inputTokens: 10, outputTokens: 20,
                costNanousd: cost, answer: stored, fence: admitted.fence),
            now: now)
    }
}

/// A clock that a test moves.
final class HandClock: Sendable {
    private let moment = Mutex(SessionBench.start)

    var now: Moment {
        get { moment.withLock { $0 } }
        set { moment.withLock { $0 = newValue } }
    }
}

/// A folder that is deleted when nobody uses it any more.
final class TemporaryFolder: Sendable {
    let path: String
    /// The store's place in it.
    var store: String { path + "/session.sqlite" }

    init() throws {
        path = NSTemporaryDirectory() + "bh-session-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A folder that stays behind is no reason to fail.
        try? FileManager.default.removeItem(atPath: path)
    }
}
