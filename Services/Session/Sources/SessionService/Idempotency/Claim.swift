import BulkheadCore
import Crypto
import NIOCore

/// Whose request it is: the same Idempotency-Key of another tenant or user is another request.
package struct ClaimScope: Sendable, Hashable {
    package var tenant: String
    /// `user:NAME`, `end:NAME`, `key:ID`, or `tenant` where a key counts for all of it.
    package var owner: String
    /// The Idempotency-Key.
    package var key: String

    /// A scope of its three parts.
    package init(tenant: String, owner: String, key: String) {
        self.tenant = tenant
        self.owner = owner
        self.key = key
    }

    /// What is stored in place of the key: HMAC-SHA256 over the three parts, each with its length in front.
    func hash(_ pepper: SymmetricKey) -> [UInt8] {
        var mac = HMAC<SHA256>(key: pepper)
        for part in [tenant, owner, key] {
            mac.update(data: Array("\(part.utf8.count):\(part)".utf8))
        }
        return Array(mac.finalize())
    }
}

/// Whose an Idempotency-Key is within its tenant, as it is stored.
package enum ClaimOwner {
    /// A user a key belongs to or may assert.
    package static func user(_ name: String) -> String { "user:\(name)" }
    /// A user a body named.
    package static func endUser(_ name: String) -> String { "end:\(name)" }
    /// Nobody is known but the API key.
    package static func key(_ id: String) -> String { "key:\(id)" }
    /// All users of the tenant share the key.
    package static let tenant = "tenant"
}

/// What an admission with an Idempotency-Key wants to hold.
package struct Claim: Sendable {
    package var tenant: String
    package var keyHash: [UInt8]
    package var owner: String
    package var route: String
    /// SHA-256 of the request.
    package var digest: ByteBuffer
    package var admission: String
    /// The run of edge that asks.
    package var holder: Int64
    package var requestID: String
    /// Names the stream to be kept; nil: the answer is none.
    package var streamID: String?
    /// Take over what was dispatched and whose outcome is not known.
    package var rerunsUnknown: Bool
    /// Where the caller left the stream; nil: it has nothing of it.
    package var place: StreamPlace?
    /// How long what is not known stays so, in milliseconds.
    package var retention: Int64
    /// No other suite shares the store: whoever holds a claim under another run of edge is gone.
    package var isAlone = false

    /// Who has a part of a stream is never given the run of another: its pieces would not follow on.
    var isRunnable: Bool { place?.isBegin ?? true }

    /// A claim of its parts.
    package init(
        tenant: String, keyHash: [UInt8], owner: String, route: String, digest: ByteBuffer, admission: String, holder: Int64 = 0,
        requestID: String = "", streamID: String? = nil, rerunsUnknown: Bool = false, place: StreamPlace? = nil, retention: Int64
    ) {
        self.tenant = tenant
        self.keyHash = keyHash
        self.owner = owner
        self.route = route
        self.digest = digest
        self.admission = admission
        self.holder = holder
        self.requestID = requestID
        self.streamID = streamID
        self.rerunsUnknown = rerunsUnknown
        self.place = place
        self.retention = retention
    }
}

/// How far a claim has come; stored as its number.
package enum ClaimPhase: Int64, Sendable, CaseIterable {
    /// Admitted; nothing has been sent out.
    case reserved = 1
    /// Something may have been sent out.
    case dispatched = 2
    /// It was answered.
    case completed = 3
}

/// An answer that is replayed. Of a stream: its head, without a body.
package struct KeptAnswer: Sendable, Equatable {
    package var status: Int
    package var contentType: String
    /// As `name: value`.
    package var headers: [String]
    package var body: ByteBuffer
    /// The id of the request that was answered.
    package var requestID: String

    /// An answer of its parts.
    package init(status: Int, contentType: String, headers: [String], body: ByteBuffer, requestID: String = "") {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
        self.requestID = requestID
    }

    /// What a stream that still runs begins with: nothing else is streamed.
    static func runningStream(_ requestID: String) -> KeptAnswer {
        KeptAnswer(status: 200, contentType: "text/event-stream", headers: [], body: ByteBuffer(), requestID: requestID)
    }
}

/// A stream as admissions find it.
package struct KeptStream: Sendable, Equatable {
    package var id: String
    /// The run that made it.
    package var fence: Int64
    package var head: KeptAnswer
}

/// What an admission with an Idempotency-Key found.
package enum ClaimOutcome: Sendable, Equatable {
    /// Nobody runs it: the caller does, under this fence, and keeps the stream under this name.
    case admitted(fence: Int64, isDuplicate: Bool, streamID: String?)
    /// It runs already, or is held for one that did.
    case running(ClaimStanding)
    /// It ran; this was the answer.
    case replay(KeptAnswer)
    /// It streams, or streamed; the caller has the pieces up to `after`.
    case attach(KeptStream, after: Int64)
    /// It ran; its answer was larger than what is kept.
    case notRetained(requestID: String)
    /// It was sent out, and whoever did is gone.
    case unknown(ClaimStanding)
    /// The place asked for is of another run.
    case streamGone
    /// The key was used with another request.
    case mismatch
}

/// How a kept stream ended.
package struct ClaimEnd: Sendable, Equatable {
    /// The number of its last piece.
    package var lastSeq: Int64
    /// It broke off.
    package var isIncomplete: Bool
    /// Not all of it was kept.
    package var isTruncated: Bool

    /// An end of its parts.
    package init(lastSeq: Int64, isIncomplete: Bool = false, isTruncated: Bool = false) {
        self.lastSeq = lastSeq
        self.isIncomplete = isIncomplete
        self.isTruncated = isTruncated
    }
}

/// What a word on a claim did.
package struct ClaimChange: Sendable, Equatable {
    /// False: another admission holds the claim, or it was ended otherwise before.
    package var isHeld: Bool
    /// The stream whose followers have to be told.
    package var streamID: String?
}
