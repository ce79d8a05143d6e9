import Glibc

/// A parsed file. Collects problems while its sections are read; nothing stops at the first.
///
/// Lives for one load on one task: sections refer to it, and it is let go when the configuration is made.
package final class ConfigDocument {
    /// The largest file that is read, in bytes.
    package static let maxBytes = 4 << 20
    /// Problems that are kept; whoever has more begins with these.
    static let maxProblems = 500

    /// The file as it was named by the caller.
    package let file: String
    /// Every value read so far, in order of reading.
    package var effective: [EffectiveValue] { values }

    private let root: YAMLNode.Mapping
    private let secrets: Set<ObjectIdentifier>
    private var problems: [ConfigProblem] = []
    private var values: [EffectiveValue] = []
    private var valueIndex: [String: Int] = [:]
    private var consulted: [SectionID: Consulted] = [:]

    private struct SectionID: Hashable {
        var path: String
        var node: ObjectIdentifier
    }

    /// What was asked of a mapping; whatever else it holds is unknown.
    private struct Consulted {
        var path: String
        var mapping: YAMLNode.Mapping
        var names: [String] = []
        /// The names in it are the user's own, so none is unknown.
        var isOpen = false
    }

    private init(root: YAMLNode?, file: String) throws {
        self.file = file
        if let root, root.mapping == nil, !root.isNull {
            throw ConfigProblems(problems: [
                ConfigProblem(
                    file: file, line: root.position.line, column: root.position.column, key: "",
                    found: Self.kind(root), expected: "sections such as suite:")
            ])
        }
        self.root = root?.mapping ?? YAMLNode.Mapping()
        var scan = SecretScan()
        if let root { scan.visit(root, path: "", key: "") }
        secrets = scan.nodes
        for finding in scan.findings {
            add(finding.position, finding.path, found: ConfigProblem.hidden, expected: SecretShape.advice, suggestion: nil)
        }
    }

    /// Reads and parses a file. Blocks; at most `maxBytes` are read.
    /// - Throws: `ConfigProblems` when the file cannot be read or is not YAML.
    package static func load(path: String) throws -> ConfigDocument {
        try parse(bytes(path: path, missing: "a file; bulkhead init writes one, --config names another"), file: path)
    }

    /// The bytes of a file, a byte more than `maxBytes` at most: that there is more is told by who parses them.
    /// - Parameter missing: what is expected where no file is.
    static func bytes(path: String, missing: String) throws -> [UInt8] {
        func failure(_ found: String, _ expected: String) -> ConfigProblems {
            ConfigProblems(problems: [ConfigProblem(file: path, line: 1, column: 1, key: "", found: found, expected: expected)])
        }
        guard let stream = fopen(path, "re") else {
            let code = errno
            throw failure(String(cString: strerror(code)), code == ENOENT ? missing : "a readable file")
        }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= maxBytes, case let count = fread(&chunk, 1, chunk.count, stream), count > 0 {
            bytes += chunk[..<count]
        }
        let code = errno
        guard ferror(stream) == 0 else { throw failure(String(cString: strerror(code)), "a readable file") }
        return bytes
    }

    /// Parses the text of a file.
    /// - Parameter file: the name to show in problems.
    /// - Throws: `ConfigProblems` when it is not YAML, or beyond the bounds (4 MiB, 32 levels, 200 000 values).
    package static func parse(_ text: String, file: String) throws -> ConfigDocument {
        try parse(Array(text.utf8), file: file)
    }

    private static func parse(_ bytes: [UInt8], file: String) throws -> ConfigDocument {
        var problem = ConfigProblem(file: file, line: 1, column: 1, key: "", found: "", expected: "")
        guard bytes.count <= maxBytes else {
            (problem.found, problem.expected) = ("more than \(maxBytes >> 20) MiB", "at most that")
            throw ConfigProblems(problems: [problem])
        }
        let root: YAMLNode?
        do throws(YAMLSyntaxError) {
            root = try YAMLReader.read(bytes)
        } catch {
            (problem.line, problem.column) = (error.position.line, error.position.column)
            (problem.found, problem.expected) = (error.found, error.expected)
            throw ConfigProblems(problems: [problem])
        }
        return try ConfigDocument(root: root, file: file)
    }

    /// Where the configuration is: the named file, else `$BULKHEAD_CONFIG`, else `bulkhead.yaml` in the current folder if
    /// there is one, else `/etc/bulkhead/bulkhead.yaml`. The file need not exist.
    package static func locate(explicit: String?) -> String {
        if let explicit { return explicit }
        if let variable = getenv("BULKHEAD_CONFIG"), variable.pointee != 0 { return String(cString: variable) }
        return access("bulkhead.yaml", F_OK) == 0 ? "bulkhead.yaml" : "/etc/bulkhead/bulkhead.yaml"
    }

    /// A top-level section; empty when absent.
    package func section(_ name: String) -> ConfigSection {
        let top = ConfigSection(document: self, path: "", node: nil, place: YAMLPosition(line: 1, column: 1))
        guard let entry = root[name] else {
            return ConfigSection(document: self, path: name, node: nil, place: top.place)
        }
        return top.child(entry.value, path: name, place: entry.keyPosition)
    }

    /// The names in a mapping of a section that somebody else reads, in file order. What is wrong there is theirs to report, so
    /// nothing becomes known by it. A name that looks like a secret is left out: these are shown.
    /// - Returns: nil when the file has no such section, or something else stands where the mapping should.
    func names(in section: String, under key: String) -> [String]? {
        guard let found = root[section]?.value.mapping else { return nil }
        guard let value = found[key]?.value, !value.isNull else { return [] }
        return value.mapping?.entries.map(\.key).filter { !SecretShape.matches($0, key: "") }
    }

    /// Everything wrong with the file, sorted by place: what was reported while reading, top-level sections that are not
    /// known, and keys of the sections read that nobody asked for. Call when all sections have been read.
    package func finish(knownSections: [String]) -> [ConfigProblem] {
        check(Consulted(path: "", mapping: root, names: knownSections))
        // In order of path, so that the bound on their number cuts the same ones every time.
        for section in consulted.values.sorted(by: { $0.path < $1.path }) { check(section) }
        consulted = [:]
        return problems.sorted { ($0.line, $0.column, $0.key) < ($1.line, $1.column, $1.key) }
    }

    private func check(_ section: Consulted) {
        for duplicate in section.mapping.duplicates {
            let found = "duplicate key, first on line \(duplicate.first.line)"
            let path = Self.join(section.path, duplicate.key)
            add(duplicate.position, path, found: found, expected: "each key once", suggestion: nil)
        }
        guard !section.isOpen else { return }
        let known = Set(section.names)
        for entry in section.mapping.entries where !known.contains(entry.key) {
            let unused = section.names.filter { section.mapping[$0] == nil }
            let nearest = NearestName.find(entry.key, among: unused) ?? NearestName.find(entry.key, among: section.names)
            let allowed = section.names.isEmpty ? "no keys here" : "one of: \(section.names.joined(separator: ", "))"
            add(
                entry.keyPosition, Self.join(section.path, entry.key), found: ConfigProblem.unknownKey, expected: allowed,
                suggestion: nearest)
        }
    }

    // MARK: what sections tell the document

    /// Notes that a mapping is read as a section.
    func open(_ node: YAMLNode, _ mapping: YAMLNode.Mapping, path: String) {
        let id = SectionID(path: path, node: ObjectIdentifier(node))
        if consulted[id] == nil { consulted[id] = Consulted(path: path, mapping: mapping) }
    }

    /// Notes that a section knows `key`.
    func ask(_ node: YAMLNode, path: String, key: String) {
        let id = SectionID(path: path, node: ObjectIdentifier(node))
        if let names = consulted[id]?.names, !names.contains(key) { consulted[id]?.names.append(key) }
    }

    /// Notes that the names in a section are the user's own.
    func declareOpen(_ node: YAMLNode, path: String) {
        consulted[SectionID(path: path, node: ObjectIdentifier(node))]?.isOpen = true
    }

    func add(_ position: YAMLPosition, _ key: String, found: String, expected: String, suggestion: String?) {
        guard problems.count < Self.maxProblems else { return }
        let problem = ConfigProblem(
            file: file, line: position.line, column: position.column, key: key, found: found, expected: expected,
            suggestion: suggestion)
        // A section may be read twice, a problem is told once.
        if !problems.contains(problem) { problems.append(problem) }
    }

    /// Notes a value in force. Read twice, the later reading counts.
    func note(_ key: String, _ value: String, line: Int?) {
        let entry = EffectiveValue(key: key, value: value, source: line.map { .file(line: $0) } ?? .defaulted)
        if let index = valueIndex[key] {
            values[index] = entry
        } else {
            valueIndex[key] = values.count
            values.append(entry)
        }
    }

    /// Whether the value looks like a secret; then it has been reported and is never shown.
    func isSecret(_ node: YAMLNode) -> Bool { secrets.contains(ObjectIdentifier(node)) }

    /// A value as problems show it: on one line, cut, and never a secret.
    func shown(_ node: YAMLNode) -> String {
        guard let scalar = node.scalar else { return Self.kind(node) }
        if isSecret(node) { return ConfigProblem.hidden }
        if scalar.isNull { return ConfigProblem.nothing }
        let text = Self.shown(scalar.text)
        return scalar.isPlain ? text : "\"\(text)\""
    }

    /// A text of the file on one line, cut, and without the password of a URL.
    static func shown(_ text: String) -> String {
        let masked = SecretShape.maskingPassword(text)
        let scalars = masked.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }
        let line = String(String.UnicodeScalarView(scalars))
        return line.count > 120 ? line.prefix(120) + "…" : line
    }

    /// The path of `key` in the section at `path`; a name that looks like a secret is not shown.
    static func join(_ path: String, _ key: String) -> String {
        let name = SecretShape.matches(key, key: "") ? ConfigProblem.hidden : shown(key)
        return path.isEmpty ? name : "\(path).\(name)"
    }

    private static func kind(_ node: YAMLNode) -> String {
        switch node.content {
        case .scalar: "a single value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        }
    }
}
