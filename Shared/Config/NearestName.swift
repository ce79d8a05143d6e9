/// Suggestions for misspelt names.
enum NearestName {
    /// The candidate nearest to `name`, if near enough to be what was meant: fewer than 4 edits, at most 40 % of the longer
    /// word. Of equally near ones the first.
    static func find(_ name: String, among candidates: some Sequence<String>) -> String? {
        // A word longer than this was not misspelt from a name of ours; it also bounds the work.
        guard !name.isEmpty, name.utf8.count <= 128 else { return nil }
        let typed = Array(name.lowercased())
        var best: (name: String, edits: Int)?
        for candidate in candidates where candidate.utf8.count <= 128 {
            let known = Array(candidate.lowercased())
            let edits = distance(typed, known)
            guard edits < 4, edits * 10 <= max(typed.count, known.count) * 4 else { continue }
            if edits < (best?.edits ?? .max) { best = (candidate, edits) }
        }
        return best?.name
    }

    /// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours, each 1.
    static func distance(_ left: [Character], _ right: [Character]) -> Int {
        guard !left.isEmpty, !right.isEmpty else { return max(left.count, right.count) }
        var beforeLast: [Int] = []
        var last = Array(0 ... right.count)
        for row in 1 ... left.count {
            var current = [row]
            for column in 1 ... right.count {
                let same = left[row - 1] == right[column - 1]
                var edits = min(last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1))
                if row > 1, column > 1, left[row - 1] == right[column - 2], left[row - 2] == right[column - 1] {
                    edits = min(edits, beforeLast[column - 2] + 1)
                }
                current.append(edits)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
