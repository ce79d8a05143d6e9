import Crypto

/// What became of a secret since it was first stored; kept and sealed with it.
package struct SecretLife: Sendable, Equatable, Codable {
    /// The version of the value in force; 1 for the first.
    package var version = 1
    /// The highest version there was.
    package var latest = 1
    /// Whether the secret is a decoy: whoever uses it has no business here.
    package var isHoneytoken = false
    /// The file of `import_dir` that was taken last, so that it is not taken again.
    package var imported: ImportMark?

    /// Of a value just stored.
    package init() {}
}

/// Recognises the content of a file without keeping it: HMAC-SHA256 under a key of its own.
package struct ImportMark: Sendable, Equatable, Codable {
    private var key: [UInt8]
    private var digest: [UInt8]

    /// The mark of a value.
    package init(_ value: [UInt8]) {
        key = (0 ..< 32).map { _ in UInt8.random(in: .min ... .max) }
        digest = Self.digest(value, key)
    }

    /// Whether this is the mark of `value`.
    package func fits(_ value: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(digest, authenticating: value, using: SymmetricKey(data: key))
    }

    private static func digest(_ value: [UInt8], _ key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: value, using: SymmetricKey(data: key)))
    }
}

/// A value that was in force before: what echoes of it is still taken out of answers, and `rotate --undo` brings it back.
package struct FormerValue: Sendable {
    /// Its version.
    package var version: Int
    /// Milliseconds since 1970 when it is destroyed.
    package var until: Int64
    /// The value.
    package var value: SecretBytes

    /// A value and its end.
    package init(version: Int, until: Int64, value: SecretBytes) {
        self.version = version
        self.until = until
        self.value = value
    }
}

extension StoredSecret {
    /// Former values a secret keeps at most; the oldest goes first.
    static let maxFormer = 4

    /// The longest value, in bytes.
    package static let maxValue = 64 << 10

    /// Puts a new value in force.
    /// - Parameters:
    ///   - overlap: milliseconds for which the value so far is kept; 0: not at all.
    package mutating func promote(_ value: SecretBytes, now: Int64, overlap: Int64) {
        retire(now: now, overlap: overlap)
        self.value = value
        life.latest += 1
        life.version = life.latest
    }

    /// Brings the value before this one back; the one given up is kept in its place until the same moment.
    /// - Returns: false when there is none any more.
    package mutating func undo(now: Int64) -> Bool {
        guard let last = former.last, last.until > now else { return false }
        former.removeLast()
        former.append(FormerValue(version: life.version, until: last.until, value: value))
        value = last.value
        life.version = last.version
        return true
    }

    /// Whether a former value's time is over.
    package func hasExpired(now: Int64) -> Bool { former.contains { $0.until <= now } }

    /// Destroys the former values whose time is over.
    package mutating func expire(now: Int64) { former.removeAll { $0.until <= now } }

    private mutating func retire(now: Int64, overlap: Int64) {
        // What was in force earlier does not outlast what came after it: undo goes one step back, never two.
        for index in former.indices { former[index].until = min(former[index].until, now + overlap) }
        expire(now: now)
        guard overlap > 0, value.count > 0 else { return }
        former.append(FormerValue(version: life.version, until: now + overlap, value: value))
        if former.count > Self.maxFormer { former.removeFirst() }
    }

    /// Whether nothing would be gained by storing the one in place of the other.
    func isSame(as other: StoredSecret) -> Bool {
        policy == other.policy && life == other.life && value.hasSameBytes(as: other.value) && former.count == other.former.count
            && zip(former, other.former).allSatisfy {
                $0.version == $1.version && $0.until == $1.until && $0.value.hasSameBytes(as: $1.value)
            }
    }
}

extension SecretBytes {
    /// Compares within this process, where time tells nothing.
    func hasSameBytes(as other: SecretBytes) -> Bool {
        self === other || count == other.count && withBytes { mine in other.withBytes { mine.elementsEqual($0) } }
    }
}
