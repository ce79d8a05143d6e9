import Synchronization

/// Numbers for ids that need to be different, not secret: trace, span and request ids. Seeded once from the system, so that
/// no system call is made per id. Never for keys, tokens or anything an attacker must not guess.
package enum QuickRandom {
    private static let state = Mutex(UInt64.random(in: 0 ... .max))

    /// The next number of the SplitMix64 sequence (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
    package static func next() -> UInt64 {
        var value = state.withLock { state in
            state &+= 0x9e37_79b9_7f4a_7c15
            return state
        }
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }

    /// As `next`, never zero.
    package static func nonZero() -> UInt64 { max(1, next()) }
}
