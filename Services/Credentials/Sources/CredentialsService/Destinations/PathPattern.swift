/// A pattern of `paths`: exact, `*` for one segment, `**` at the end for the rest (at least one segment). Compared with the
/// raw path, byte for byte: nothing is decoded, so nothing can be spelled another way.
package struct PathPattern: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case exact(Substring)
        case segment
    }

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
    }

    /// - Parameter path: a valid raw path, without query.
    package func matches(_ path: String) -> Bool {
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard takesRest ? segments.count > parts.count : segments.count == parts.count else { return false }
        return zip(parts, segments).allSatisfy { part, segment in
            switch part {
            case .exact(let text): text == segment
            case .segment: !segment.isEmpty
            }
        }
    }
}
