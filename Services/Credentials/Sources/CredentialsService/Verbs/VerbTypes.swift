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

    /// Arguments.
    package init(name: String) { self.name = name }
}

/// A secret as `list` shows it: never its value.
package struct SecretRow: Codable, Sendable {
    package var name: String
    /// active | revoked
    package var state: String
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
    /// stored | replaced | rotated | revoked | deleted | resealed
    package var outcome: String
    /// Where it may go from now on; nil once gone.
    package var host: String?
    package var preset: String?
    /// Whether the host was taken from a destination.
    package var isInferred: Bool
    /// Destinations that cannot use it as it is now, and why.
    package var warnings: [String]
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
    /// The key, base64: 32 bytes or a passphrase.
    package var key: String

    /// Arguments.
    package init(key: [UInt8]) { self.key = String(decoding: Base64.encode(key), as: UTF8.self) }
}

/// Arguments of `audit tail`.
package struct TailCommand: Codable, Sendable {
    /// Records at most.
    package var count: Int

    /// Arguments.
    package init(count: Int) { self.count = count }
}
