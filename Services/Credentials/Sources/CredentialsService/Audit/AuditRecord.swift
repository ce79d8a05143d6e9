/// A record as it stands in the file and as `audit tail` shows it.
package struct AuditRecord: Codable, Sendable, Equatable {
    /// 1 for the first record of the trail.
    package var seq: UInt64
    /// Milliseconds since 1970.
    package var at: Int64
    package var event: String
    package var decision: String
    package var peer: String
    package var uid: UInt32?
    package var pid: Int32?
    package var destination: String?
    package var host: String?
    package var secret: String?
    package var method: String?
    /// Keyed digest of the raw path, 16 hexadecimal digits.
    package var path: String?
    package var reason: String?
    package var request: String?
    package var tenant: String?
    /// For an end: the number of the record that allowed the call.
    package var of: UInt64?
    package var status: Int?
    package var bytes: Int?
    package var ms: Int64?
    package var redactions: Int?
    package var address: String?
    /// The hash of the record before, 64 hexadecimal digits; zeros for the first.
    package var prev: String
    /// HMAC-SHA-256 of the line up to this member.
    package var hash: String
}
