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

/// What an admission with an Idempotency-Key wants to hold.
struct Claim: Sendable {
    let tenant: String
    let keyHash: [UInt8]
    let owner: String
    let route: String
    /// SHA-256 of the request.
    let digest: ByteBuffer
    let admission: String
    /// The run of edge that asks.
    let holder: Int64
    let requestID: String
    /// Names the stream to be kept; nil: the answer is none.
    let streamID: String?
    /// Take over what was dispatched and whose outcome is not known.
    let rerunsUnknown: Bool
    /// How long what is not known stays so, in milliseconds.
    let retention: Int64
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

/// An answer that is replayed.
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
}

/// What an admission with an Idempotency-Key found.
package enum ClaimOutcome: Sendable, Equatable {
    /// Nobody runs it: the caller does, under this fence.
    case admitted(fence: Int64, isDuplicate: Bool)
    /// It runs already; its stream, if it has one.
    case running(streamID: String?)
    /// It ran; this was the answer.
    case replay(KeptAnswer)
    /// It ran, and its answer is this stream.
    case stream(id: String)
    /// It ran; its answer was larger than what is kept.
    case notRetained(requestID: String)
    /// It was sent out, and whoever did is gone.
    case unknown
    /// The key was used with another request.
    case mismatch
}
