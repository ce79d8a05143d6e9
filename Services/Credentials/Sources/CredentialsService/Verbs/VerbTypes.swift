/// Arguments of `set`, `rotate` and `reseal`.
package struct SecretCommand: Codable, Sendable {
    /// The secret's name.
    package var name: String
    /// `host[:port]`; nil: inferred from the one destination that refers to the secret, or as it was.
    package var host: String?
    /// How it is injected; nil: as the destination says, or as it was.
    package var preset: String?
    /// The value, one line break at its end not counted; nil for `reseal`.
    package var value: String?
    /// `set`: whether the secret is a decoy.
    package var isHoneytoken: Bool?
    /// `rotate`: whether the value is taken although no destination could be asked about it.
    package var isUnverified: Bool?
    /// `rotate`: milliseconds for which the value so far is kept; nil: `defaultOverlap`.
    package var overlap: Int64?

    /// Ten minutes.
    package static let defaultOverlap: Int64 = 600_000

    /// Arguments.
    package init(name: String, host: String? = nil, preset: String? = nil, value: String? = nil) {
        self.name = name
        self.host = host
        self.preset = preset
        self.value = value
    }
}

/// Arguments of verbs that take a name.
package struct NamedCommand: Codable, Sendable {
    /// A secret, or for `test` also a destination.
    package var name: String
    /// `revoke`: whether calls under way are ended.
    package var now: Bool?

    /// Arguments.
    package init(name: String, now: Bool? = nil) {
        self.name = name
        self.now = now
    }
}

/// A secret as `list` shows it: never its value.
package struct SecretRow: Codable, Sendable {
    package var name: String
    /// active | revoked | honeytoken
    package var state: String
    /// Of the value in force.
    package var version: Int
    /// Milliseconds since 1970 until which the version before can be brought back; nil: it cannot.
    package var overlapEnds: Int64?
    /// vault | keychain
    package var store: String
    /// Whether it was read before an outage of the store.
    package var isStale: Bool
    /// Where it may go.
    package var host: String
    package var preset: String
    /// Milliseconds since 1970.
    package var created: Int64
    /// Milliseconds since 1970; nil: never.
    package var rotated: Int64?
    package var revoked: Int64?
    /// The destinations that refer to it.
    package var destinations: [String]
}

/// What a verb did to a secret.
package struct SecretChange: Codable, Sendable {
    package var name: String
    /// stored | replaced | rotated | undone | revoked | deleted | resealed
    package var outcome: String
    /// Of the value in force; nil once gone.
    package var version: Int?
    /// Calls under way that were ended; nil: none were to be.
    package var cut: Int?
    /// Where it may go from now on; nil once gone.
    package var host: String?
    package var preset: String?
    /// Whether the host was taken from a destination.
    package var isInferred: Bool
    /// Destinations that cannot use it as it is now, and why.
    package var warnings: [String]
    /// What the secret may do from now on that it could not before; nil for verbs that seal nothing.
    package var widens: [SealedChange]?
}

/// One try of `test`.
package struct TestRow: Codable, Sendable {
    package var destination: String
    /// Whether the destination answered and did not refuse the secret.
    package var isGood: Bool
    /// The response's status; nil without response.
    package var status: Int?
    package var milliseconds: Double
    /// What it means.
    package var message: String
    /// Whether the secret itself was refused: by the destination, or where its access tokens come from.
    var isRefused = false

    private enum CodingKeys: String, CodingKey { case destination, isGood, status, milliseconds, message }
}

/// One finding of `doctor`.
package struct DoctorRow: Codable, Sendable {
    /// ok | warning | error
    package var level: String
    package var subject: String
    package var message: String
}

/// Arguments of `unlock`.
package struct UnlockCommand: Codable, Sendable {
    /// The key, base64: 32 bytes or a passphrase; nil: the one the configuration names.
    package var key: String?
    /// Whether a vault older than what was seen is taken.
    package var acceptsOlder: Bool?

    /// Arguments.
    package init(key: [UInt8]?, acceptsOlder: Bool = false) {
        self.key = key.map { String(decoding: Base64.encode($0), as: UTF8.self) }
        self.acceptsOlder = acceptsOlder
    }
}

/// Arguments of `audit tail`.
package struct TailCommand: Codable, Sendable {
    /// Records at most.
    package var count: Int

    /// Arguments.
    package init(count: Int) { self.count = count }
}
