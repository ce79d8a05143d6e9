/// Text around a secret.
struct SecretTemplate: Sendable {
    /// What stands for the secret.
    static let hole = "{secret}"

    let before: String
    let after: String

    /// - Parameter text: with the hole once; nil: the secret alone.
    init(_ text: String?) {
        let parts = (text ?? Self.hole).split(separator: Self.hole, maxSplits: 1, omittingEmptySubsequences: false)
        before = String(parts.first ?? "")
        after = parts.count > 1 ? String(parts[1]) : ""
    }

    /// The text with an encoded value in it.
    /// - Parameter encode: is applied to all of it: a template's own characters are escaped like the secret's.
    func filled(_ value: UnsafeRawBufferPointer, _ encode: ([UInt8]) -> [UInt8]) -> SecretBytes {
        SecretBytes(encode(Array(before.utf8) + Array(value) + Array(after.utf8)))
    }

    /// Pieces of a header's value.
    func pieces(_ value: SecretBytes) -> SecretText {
        var text = SecretText(before)
        text.append(.secret(value))
        if !after.isEmpty { text.append(.text(after)) }
        return text
    }
}

/// A path that precedes every call's path, with a hole for the secret: `/bot{secret}`.
struct PathHole: Sendable {
    let before: String
    let after: String

    /// nil for a text that is no path, or has not one hole.
    init?(_ text: String) {
        let parts = text.split(separator: SecretTemplate.hole, omittingEmptySubsequences: false)
        guard parts.count == 2, !text.hasSuffix("/"), TargetSyntax.pathProblem(parts.joined(separator: "x")) == nil else {
            return nil
        }
        before = String(parts[0])
        after = String(parts[1])
    }

    /// Whether a value can stand in a path as it is, and is one segment's part to every server (RFC 3986 pchar, without escapes and
    /// what some servers split segments at).
    static func isSafe(_ value: UnsafeRawBufferPointer) -> Bool {
        !value.isEmpty && value.allSatisfy { PercentEncoding.isUnreserved($0) || ":@=+,!$*~".utf8.contains($0) }
    }
}
