/// A mapping in the file. Remembers which keys were asked for: whatever else stands in it is an unknown key. So read every
/// key a section may have, whether the value is needed or not. An absent mapping is an empty one.
package struct ConfigSection {
    /// The key path, e.g. `router.models[0]`.
    package let path: String
    /// Whether the file has it, with at least a pair of braces.
    package var isPresent: Bool { node != nil }

    let document: ConfigDocument
    private let node: YAMLNode?
    private let mapping: YAMLNode.Mapping
    /// Where problems of the section itself are shown: at its key.
    let place: YAMLPosition

    /// - Parameter node: nil, or a mapping.
    init(document: ConfigDocument, path: String, node: YAMLNode?, place: YAMLPosition) {
        self.document = document
        self.path = path
        self.node = node
        self.place = place
        mapping = node?.mapping ?? YAMLNode.Mapping()
        if let node { document.open(node, mapping, path: path) }
    }

    /// Whether the key is there with a value (not null).
    package func contains(_ key: String) -> Bool { lookup(key) != nil }

    /// The names in the section, in file order. Does not make them known: read them.
    package func keys() -> [String] { mapping.entries.map(\.key) }

    /// A nested mapping; empty when absent, and when it is another type, which is a problem.
    package func section(_ key: String) -> ConfigSection {
        let inner = ConfigDocument.join(path, key)
        guard let node = lookup(key) else {
            return ConfigSection(document: document, path: inner, node: nil, place: place(of: key))
        }
        return child(node, path: inner, place: place(of: key))
    }

    /// A list of mappings; empty when absent. What is not a mapping is a problem and left out.
    package func list(_ key: String) -> [ConfigSection] {
        guard let node = lookup(key) else { return [] }
        guard let items = node.sequence else {
            problem(key, node, expected: "a list")
            return []
        }
        return items.enumerated().compactMap { index, item in
            let section = child(item, path: "\(ConfigDocument.join(path, key))[\(index)]", place: item.position)
            return section.isPresent ? section : nil
        }
    }

    /// A mapping from names of the user's choice to mappings, in file order; empty when absent. A name without a value has
    /// an empty section, a value that is not a mapping is a problem and left out.
    package func map(_ key: String) -> [(name: String, section: ConfigSection)] {
        let outer = section(key)
        if let node = outer.node { document.declareOpen(node, path: outer.path) }
        return outer.mapping.entries.compactMap { entry in
            let inner = outer.child(entry.value, path: ConfigDocument.join(outer.path, entry.key), place: entry.keyPosition)
            return inner.isPresent || entry.value.isNull ? (entry.key, inner) : nil
        }
    }

    /// Reports a problem at the key's value, or at the section if the key is absent. Nothing is reported about a value that
    /// looks like a secret: that has been.
    /// - Parameters:
    ///   - found: what stands there; never a secret.
    ///   - expected: what is allowed, continuing "expected …".
    package func report(_ key: String, found: String, expected: String, suggestion: String? = nil) {
        let value = lookup(key)
        if let value, document.isSecret(value) { return }
        document.add(
            value?.position ?? place(of: key), ConfigDocument.join(path, key), found: ConfigDocument.shown(found),
            expected: expected,
            suggestion: suggestion)
    }

    /// Reports a problem with a name in the section, at the name itself.
    package func reportKey(_ key: String, expected: String, suggestion: String? = nil) {
        document.add(
            place(of: key), ConfigDocument.join(path, key), found: ConfigProblem.unknownKey, expected: expected,
            suggestion: suggestion)
    }

    /// Checks that `value`, as read at `key`, is one of the names it may refer to. An empty value is left to whoever required it.
    /// - Parameter what: what the names are, e.g. `a provider`.
    package func reference(_ key: String, _ value: String, among known: [String], what: String) {
        guard !value.isEmpty, !known.contains(value) else { return }
        let choices = known.isEmpty ? "\(what), but none is configured" : "\(what), one of: \(known.joined(separator: ", "))"
        report(key, found: value, expected: choices, suggestion: NearestName.find(value, among: known))
    }

    /// The names in a mapping of another service's section, for references to them: `names(in: "credentials", under:
    /// "destinations")`. Nothing else of that section is looked at.
    /// - Returns: nil when the file does not have the section (it may be this service's alone), or it cannot be read there.
    package func names(in section: String, under key: String) -> [String]? { document.names(in: section, under: key) }

    // MARK: what typed readers build on

    /// The value at `key`; nil when absent or null. Makes the key known.
    func lookup(_ key: String) -> YAMLNode? {
        guard let node else { return nil }
        document.ask(node, path: path, key: key)
        guard let value = mapping[key]?.value, !value.isNull else { return nil }
        return value
    }

    /// Reports that the value at `key` is not what is expected.
    func problem(_ key: String, _ value: YAMLNode, expected: String, suggestion: String? = nil) {
        guard !document.isSecret(value) else { return }
        document.add(
            value.position, ConfigDocument.join(path, key), found: document.shown(value), expected: expected,
            suggestion: suggestion)
    }

    /// Notes the value in force for `key`.
    func note(_ key: String, _ text: String) {
        let value = lookup(key)
        let shown = value.map(document.isSecret) == true ? ConfigProblem.hidden : ConfigDocument.shown(text)
        document.note(ConfigDocument.join(path, key), shown, line: value?.position.line)
    }

    /// The section a value is; absent when null, absent and a problem when not a mapping.
    func child(_ value: YAMLNode, path: String, place: YAMLPosition) -> ConfigSection {
        if value.mapping != nil { return ConfigSection(document: document, path: path, node: value, place: place) }
        if !value.isNull, !document.isSecret(value) {
            document.add(value.position, path, found: document.shown(value), expected: "a mapping (key: value)", suggestion: nil)
        }
        return ConfigSection(document: document, path: path, node: nil, place: place)
    }

    private func place(of key: String) -> YAMLPosition { mapping[key]?.keyPosition ?? place }
}
