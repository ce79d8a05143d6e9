import BulkheadCore

/// Tokens that were verified lately, by their SHA-256: one signature check a minute for each. Bounded in number and age.
package struct TokenMemory: Sendable {
    /// How long a token is taken for good without another look.
    package static let age = Duration.seconds(60)

    private struct Entry {
        let bearer: TokenBearer
        let until: MonotonicTime
    }

    private let capacity: Int
    private var entries: [KeyDigest: Entry] = [:]
    /// Which keys verify: what was verified with others is not taken in any more.
    package private(set) var generation = 0

    /// - Parameter capacity: tokens remembered; beyond it those whose time is over first are forgotten.
    package init(capacity: Int = 10_000) { self.capacity = capacity }

    /// Tokens remembered.
    package var count: Int { entries.count }

    /// Who shows the token, if it was verified lately and has not expired.
    package func find(_ token: KeyDigest, now: MonotonicTime) -> TokenBearer? {
        entries[token].flatMap { now < $0.until ? $0.bearer : nil }
    }

    /// - Parameters:
    ///   - lifetime: until the token expires.
    ///   - generation: as it was before the token was verified.
    package mutating func remember(
        _ token: KeyDigest, _ bearer: TokenBearer, lifetime: Duration, generation: Int, now: MonotonicTime
    ) {
        guard generation == self.generation else { return }
        if entries.count >= capacity, entries[token] == nil { makeRoom(now) }
        entries[token] = Entry(bearer: bearer, until: now + min(lifetime, Self.age))
    }

    /// The issuer's keys are others now: every token is verified again.
    package mutating func forgetAll() {
        entries.removeAll()
        generation += 1
    }

    private mutating func makeRoom(_ now: MonotonicTime) {
        entries = entries.filter { now < $0.value.until }
        guard entries.count >= capacity else { return }
        let first = entries.sorted { $0.value.until < $1.value.until }.prefix(max(1, capacity / 10))
        for (token, _) in first { entries[token] = nil }
    }
}
