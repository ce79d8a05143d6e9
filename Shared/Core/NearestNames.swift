/// Suggestions for a name that leads nowhere: of a model, a target, a breaker. Unlike a misspelt key, a wrong one is often a
/// relative of the right one (another version, another size), so names are ranked by what they share, and some are always given.
package enum NearestNames {
    /// Names that are given at most.
    package static let count = 3
    /// Names and lengths looked at; more would be work for a stranger's typo.
    private static let maxNames = 2000
    private static let maxBytes = 128

    /// The most similar names first (Dice coefficient over pairs of neighbouring bytes), equally similar ones in given order.
    package static func of(_ name: String, among names: [String]) -> [String] {
        let wanted = pairs(name)
        let ranked = names.prefix(maxNames).enumerated().map { index, candidate in
            (index: index, name: candidate, score: similarity(wanted, pairs(candidate)))
        }
        return ranked.sorted { ($1.score, $0.index) < ($0.score, $1.index) }.prefix(count).map(\.name)
    }

    private static func similarity(_ left: Set<UInt16>, _ right: Set<UInt16>) -> Double {
        let total = left.count + right.count
        return total == 0 ? 0 : 2 * Double(left.intersection(right).count) / Double(total)
    }

    private static func pairs(_ name: String) -> Set<UInt16> {
        let bytes = Array(name.lowercased().utf8.prefix(maxBytes))
        return Set(zip(bytes, bytes.dropFirst()).map { UInt16($0) << 8 | UInt16($1) })
    }
}
