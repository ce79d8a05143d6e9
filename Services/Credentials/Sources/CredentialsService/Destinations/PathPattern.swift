/// A pattern of `paths`: exact, `*` for one segment, `**` at the end for the rest (at least one segment). Compared with the
/// raw path, byte for byte: nothing is decoded, so nothing can be spelled another way.
package struct PathPattern: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case exact(Substring)
        case segment
    }

    /// As it was written.
    package let text: String
    private var parts: [Part]
    private var takesRest: Bool

    /// nil when the text is no path, or `**` stands elsewhere than at the end.
    package init?(_ text: String) {
        guard text.hasPrefix("/"), TargetSyntax.pathProblem(text) == nil else { return nil }
        var segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        takesRest = segments.last == "**"
        if takesRest { segments.removeLast() }
        guard segments.allSatisfy({ $0 == "*" || !$0.contains("*") }) else { return nil }
        parts = segments.map { $0 == "*" ? .segment : .exact($0) }
        self.text = text
    }

    /// Every path below `base`.
    package init(all base: String) {
        text = base + "/**"
        parts = Self.exact(base)
        takesRest = true
    }

    /// The pattern with `base`, in which nothing is a wildcard, before it.
    /// - Parameter base: a valid raw path without a slash at its end; may be empty.
    package func below(_ base: String) -> PathPattern {
        var copy = self
        copy.parts = Self.exact(base) + parts
        return copy
    }

    private static func exact(_ base: String) -> [Part] {
        base.isEmpty ? [] : base.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { .exact($0) }
    }

    /// - Parameter path: a valid raw path, without query.
    package func matches(_ path: String) -> Bool {
        matches(path.dropFirst().split(separator: "/", omittingEmptySubsequences: false))
    }

    private func matches(_ segments: [Substring]) -> Bool {
        guard takesRest ? segments.count > parts.count : segments.count == parts.count else { return false }
        return zip(parts, segments).allSatisfy { part, segment in
            switch part {
            case .exact(let text): text == segment
            case .segment: !segment.isEmpty
            }
        }
    }

    // MARK: containment

    /// Whether every path this pattern matches is matched by one of `others`. Exact: there are infinitely many segments that
    /// no pattern names, so a path made of one of those stands for all paths of its length; of longer paths than any pattern
    /// tells apart, one length stands for all.
    package func isCovered(by others: [PathPattern]) -> Bool {
        let longest = others.map { $0.parts.count + 1 }.max() ?? 0
        return witnesses(upTo: max(longest, parts.count) + 1).allSatisfy { path in others.contains { $0.matches(path) } }
    }

    /// A segment that no pattern can name: it holds a control character.
    private static let unnamed: Substring = "\u{1}"

    private func witnesses(upTo length: Int) -> [[Substring]] {
        let start = parts.map { part -> Substring in
            if case .exact(let text) = part { return text }
            return Self.unnamed
        }
        guard takesRest else { return [start] }
        // Of a valid path only the last segment may be empty.
        return (1 ... length - parts.count).flatMap { count in
            let rest = [Substring](repeating: Self.unnamed, count: count - 1)
            return [start + rest + [Self.unnamed], start + rest + [""]]
        }
    }
}
