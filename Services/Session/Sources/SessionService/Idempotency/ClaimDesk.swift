import BulkheadAPI
import BulkheadCore
import BulkheadStore
import Crypto
import NIOCore

/// Admissions with an Idempotency-Key: one of equal requests runs, the others are told what became of it.
package struct ClaimDesk: Sendable {
    private let store: any DurableStore
    private let pepper: SymmetricKey

    private static let readPepper = Statement("setting.read", "SELECT value FROM setting WHERE name = $1")
    private static let writePepper = Statement(
        "setting.write", "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING")
    private static let pepperName = "claim pepper"

    /// Reads the secret that hides Idempotency-Keys, or makes it at the store's first use.
    package static func open(_ store: any DurableStore) async throws -> ClaimDesk {
        let fresh = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
        let bytes = try await store.transact { transaction in
            try transaction.run(writePepper, [.text(pepperName), .bytes(fresh)])
            return try transaction.rows(readPepper, [.text(pepperName)]).first?.bytes(0) ?? ByteBuffer()
        }
        return ClaimDesk(store: store, pepper: SymmetricKey(data: Array(bytes.readableBytesView)))
    }

    /// Claims the request's Idempotency-Key for `admission`.
    /// - Parameters:
    ///   - owner: whose it is, within the tenant.
    ///   - retention: how long an outcome nobody knows is told to be so, in milliseconds.
    /// - Throws: INVALID_ARGUMENT for a malformed request; what `DurableStore.transact` throws.
    func claim(
        _ request: SessionAPI.AdmitRequest, admission: String, tenant: String, owner: String, retention: Int64
    ) async throws -> (outcome: ClaimOutcome, streamID: String) {
        guard let key = request.idempotencyKey else { throw CallError(.internal, message: "a claim without a key") }
        let digest = try Self.validated(key, request.requestDigest)
        let scope = ClaimScope(tenant: tenant, owner: request.tenantScope ? "tenant" : owner, key: key)
        let streamID = request.streams ? Self.newStreamID() : nil
        let wanted = Claim(
            tenant: tenant, keyHash: scope.hash(pepper), owner: scope.owner, route: request.route, digest: digest,
            admission: admission, holder: Int64(request.edgeRun), requestID: request.requestID, streamID: streamID,
            rerunsUnknown: request.rerunsUnknown, retention: retention)
        let outcome = try await store.transact { try ClaimTable.claim(wanted, $0) }
        return (outcome, streamID ?? "")
    }

    /// Gives a claim back that its caller never heard of.
    func forget(_ admission: String, fence: Int64) async throws {
        try await store.transact { try ClaimTable.release(admission, fence: fence, $0) }
    }

    /// - Throws: what `DurableStore.transact` throws.
    func dispatch(_ request: SessionAPI.DispatchRequest) async throws -> SessionAPI.DispatchReply {
        let isHeld = try await store.transact {
            try ClaimTable.dispatch(request.admissionID, fence: Int64(request.fence), $0)
        }
        return SessionAPI.DispatchReply(staleFence: !isHeld)
    }

    /// - Throws: what `DurableStore.transact` throws.
    func renew(_ held: [SessionAPI.Held]) async throws -> [String] {
        guard !held.isEmpty else { return [] }
        return try await store.transact { transaction in
            try held.filter { try !ClaimTable.renew($0.admissionID, fence: Int64($0.fence), transaction) }.map(\.admissionID)
        }
    }

    /// Takes in how a claimed request ended. Reported again, it changes nothing.
    /// - Returns: false when another admission holds the claim.
    /// - Throws: what `DurableStore.transact` throws.
    func settle(_ request: SessionAPI.SettleRequest, retention: Int64) async throws -> Bool {
        let (admission, fence) = (request.admissionID, Int64(request.fence))
        guard let answer = request.answer else {
            try await forget(admission, fence: fence)
            return true
        }
        let isKept = (answer.body?.readableBytes ?? 0) <= ClaimTable.maximumBody && !(request.streamEnd?.truncated ?? false)
        let kept = KeptAnswer(
            status: answer.status, contentType: answer.contentType, headers: answer.headers, body: answer.body ?? ByteBuffer())
        let end = ClaimEnd(
            lastSeq: Int64(request.streamEnd?.lastSeq ?? 0), isIncomplete: request.streamEnd?.incomplete ?? false)
        return try await store.transact { transaction in
            try ClaimTable.complete(
                admission, fence: fence, isKept ? kept : nil, end: end, expires: transaction.now + retention, transaction)
        }
    }

    private static func newStreamID() -> String {
        "st_" + APIKey.base64URL(SymmetricKey(size: .bits256).withUnsafeBytes { Array($0.prefix(18)) })
    }

    private static func validated(_ key: String, _ digest: ByteBuffer?) throws -> ByteBuffer {
        guard (1 ... 255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21 ... 0x7e).contains($0) }) else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message:
                    "the Idempotency-Key is \(key.utf8.count) bytes long or holds other than visible ASCII: use 1 to 255 of it")
        }
        guard let digest, digest.readableBytes == 32 else {
            throw CallError(
                .invalidArgument, reason: "invalid_request",
                message: "request_digest holds \(digest?.readableBytes ?? 0) bytes, a SHA-256 has 32")
        }
        return digest
    }
}
