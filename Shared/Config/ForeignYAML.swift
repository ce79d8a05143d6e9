/// A value of a YAML file that is not a configuration of ours, with its line: for importing one. The bounds of our own files
/// hold; whether a text looks like a secret is asked of it, because what is imported may hold any.
package struct ForeignYAML: Sendable {
    private let node: YAMLNode

    /// Reads a file. Blocks.
    /// - Throws: `ConfigProblems` when it cannot be read or is not YAML; its place and what libyaml says, never its text.
    package static func load(path: String) throws -> ForeignYAML {
        let bytes = try ConfigDocument.bytes(path: path, missing: "a file")
        guard bytes.count <= ConfigDocument.maxBytes else {
            throw problem(
                path, YAMLPosition(line: 1, column: 1), "more than \(ConfigDocument.maxBytes >> 20) MiB", "at most that")
        }
        do throws(YAMLSyntaxError) {
            guard let root = try YAMLReader.read(bytes) else {
                throw YAMLSyntaxError(position: YAMLPosition(line: 1, column: 1), found: "an empty file", expected: "YAML")
            }
            return ForeignYAML(node: root)
        } catch {
            throw problem(path, error.position, error.found, error.expected)
        }
    }

    private static func problem(_ file: String, _ place: YAMLPosition, _ found: String, _ expected: String) -> ConfigProblems {
        ConfigProblems(problems: [
            ConfigProblem(file: file, line: place.line, column: place.column, key: "", found: found, expected: expected)
        ])
    }

    /// Where it begins, from 1.
    package var line: Int { node.position.line }
    /// No value: absent behind its colon, `~` or `null`.
    package var isNull: Bool { node.isNull }
    /// A single value as written; nil for null, mappings and lists.
    package var text: String? { node.isNull ? nil : node.scalar?.text }
    /// The elements of a list; nil when it is none.
    package var items: [ForeignYAML]? { node.sequence?.map { ForeignYAML(node: $0) } }

    /// The entries of a mapping in file order, keys that are repeated only once; nil when it is none.
    package var entries: [(key: String, line: Int, value: ForeignYAML)]? {
        node.mapping?.entries.map { ($0.key, $0.keyPosition.line, ForeignYAML(node: $0.value)) }
    }

    /// Keys of a mapping that stood there already, with their lines; their values are not among the entries.
    package var duplicates: [(key: String, line: Int)] {
        node.mapping?.duplicates.map { ($0.key, $0.position.line) } ?? []
    }

    /// The value at a key of a mapping; nil when there is none.
    package subscript(key: String) -> ForeignYAML? { node.mapping?[key].map { ForeignYAML(node: $0.value) } }

    /// Whether a text looks like a secret rather than the name of one. - Parameter key: the name it stands at.
    package static func looksSecret(_ text: String, key: String = "") -> Bool { SecretShape.matches(text, key: key) }

    /// Whether a text can be the name of a secret: `[A-Z][A-Z0-9_]*`, at most 64 characters.
    package static func isSecretName(_ text: String) -> Bool { SecretShape.isName(text) }
}
