/// A place in a file; both from 1, the column in characters.
struct YAMLPosition: Sendable, Hashable, Comparable {
    var line: Int
    var column: Int

    static func < (left: Self, right: Self) -> Bool { (left.line, left.column) < (right.line, right.column) }
}

/// A value of a YAML file with its place. An alias is the very node it refers to, so identity tells anchors apart.
final class YAMLNode: Sendable {
    /// A value that is neither a mapping nor a sequence.
    struct Scalar: Sendable, Hashable {
        var text: String
        /// Unquoted; only such a scalar can be a number, a truth value or null.
        var isPlain: Bool

        var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(text) }
    }

    /// One key of a mapping with its value.
    struct Entry: Sendable {
        var key: String
        var keyPosition: YAMLPosition
        var value: YAMLNode
    }

    /// A key that stood in a mapping already; its value is not in `entries`.
    struct Duplicate: Sendable {
        var key: String
        var position: YAMLPosition
        var first: YAMLPosition
    }

    /// A mapping in file order, without its duplicates.
    struct Mapping: Sendable {
        private(set) var entries: [Entry] = []
        private(set) var duplicates: [Duplicate] = []
        private var places: [String: Int] = [:]

        subscript(key: String) -> Entry? { places[key].map { entries[$0] } }

        mutating func add(_ entry: Entry) {
            if let first = self[entry.key] {
                duplicates.append(.init(key: entry.key, position: entry.keyPosition, first: first.keyPosition))
            } else {
                places[entry.key] = entries.count
                entries.append(entry)
            }
        }
    }

    enum Content: Sendable {
        case scalar(Scalar)
        case mapping(Mapping)
        case sequence([YAMLNode])
    }

    let position: YAMLPosition
    let content: Content
    /// Nodes in the tree with every alias expanded; saturates, so that it can be compared with a limit.
    let weight: Int
    /// Levels of the tree with every alias expanded: 1 for a scalar.
    let height: Int

    init(_ content: Content, at position: YAMLPosition) {
        self.position = position
        self.content = content
        let children: [YAMLNode] =
            switch content {
            case .scalar: []
            case .mapping(let mapping): mapping.entries.map(\.value)
            case .sequence(let items): items
            }
        weight = children.reduce(1) { sum, child in
            let (next, overflow) = sum.addingReportingOverflow(child.weight)
            return overflow ? .max : next
        }
        height = 1 + (children.map(\.height).max() ?? 0)
    }

    var scalar: Scalar? { if case .scalar(let scalar) = content { scalar } else { nil } }
    var mapping: Mapping? { if case .mapping(let mapping) = content { mapping } else { nil } }
    var sequence: [YAMLNode]? { if case .sequence(let items) = content { items } else { nil } }
    var isNull: Bool { scalar?.isNull ?? false }
}
