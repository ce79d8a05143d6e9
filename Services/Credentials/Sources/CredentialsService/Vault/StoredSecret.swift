/// What was sealed with a secret: what may be done with it. The configuration can only narrow it.
package struct SecretPolicy: Sendable, Equatable, Codable {
    /// The place it was sealed for first; `ceiling` has all.
    package var host: SealedHost
    /// The way it is injected there.
    package var preset: Preset
    /// What it was sealed for; empty for a secret of before these were kept, see `ceiling`.
    package var grants: [Grant]
    /// Milliseconds since 1970.
    package var created: Int64
    /// Milliseconds since 1970 when the value was last replaced; 0: never.
    package var rotated: Int64
    /// Milliseconds since 1970; 0: in force.
    package var revoked: Int64

    /// A policy; times in milliseconds since 1970.
    package init(
        host: SealedHost, preset: Preset, grants: [Grant] = [], created: Int64, rotated: Int64 = 0, revoked: Int64 = 0
    ) {
        self.host = host
        self.preset = preset
        self.grants = grants
        self.created = created
        self.rotated = rotated
        self.revoked = revoked
    }
}

/// A secret of an open store. A revoked one has no bytes left.
package struct StoredSecret: Sendable {
    /// What may be done with it.
    package var policy: SecretPolicy
    /// The value; empty once revoked.
    package var value: SecretBytes
    /// Versions, and where it came from.
    package var life: SecretLife
    /// Values that were in force before and are not destroyed yet, oldest first.
    package var former: [FormerValue] = []

    /// A secret with its policy.
    package init(policy: SecretPolicy, value: SecretBytes, life: SecretLife = SecretLife()) {
        self.policy = policy
        self.value = value
        self.life = life
    }

    /// The name of a secret: `[A-Z][A-Z0-9_]*`, at most 64 characters.
    package static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (65 ... 90).contains(first), text.utf8.count <= 64 else { return false }
        return text.utf8.allSatisfy { (65 ... 90).contains($0) || (48 ... 57).contains($0) || $0 == UInt8(ascii: "_") }
    }

    /// What is wrong with a value that is to be stored; nil when nothing is. Never repeats it.
    package static func valueProblem(_ bytes: some Collection<UInt8>, preset: Preset) -> String? {
        guard bytes.count <= 64 << 10 else { return "the value is longer than 64 KiB" }
        // A short value cannot be told from ordinary text in an answer, so it could not be taken out again.
        guard bytes.count >= 8 else { return "the value is shorter than 8 bytes; nothing was stored" }
        if preset == .basic {
            guard bytes.contains(UInt8(ascii: ":")) else { return "the value of preset basic is user:password, and has no ':'" }
            return bytes.allSatisfy { $0 >= 32 && $0 != 127 } ? nil : "the value holds control characters, such as a line break"
        }
        return bytes.allSatisfy { (33 ... 126).contains($0) }
            ? nil : "the value holds a blank, a line break or another character that cannot stand in a header"
    }
}
