import BulkheadConfig

/// What an import could not translate, or not exactly. Never holds a value that may be a secret. Confined to one task.
final class ImportNotes {
    private(set) var notes: [(line: Int, text: String)] = []
    /// Beyond it notes are only counted.
    private static let limit = 400
    private(set) var dropped = 0

    func add(_ line: Int, _ text: String) {
        guard notes.count < Self.limit else {
            dropped += 1
            return
        }
        notes.append((line, text))
    }

    /// One line a note, in the order of the file.
    var lines: [String] {
        let sorted = notes.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
        let shown = sorted.map { "line \($0.element.line): \($0.element.text)" }
        return dropped == 0 ? shown : shown + ["and \(dropped) more"]
    }

    /// A name of the file as notes show it: on one line, cut, and never a secret.
    static func shown(_ text: String) -> String {
        if ForeignYAML.looksSecret(text) { return "(hidden)" }
        let scalars = text.unicodeScalars.prefix(80).map { $0.properties.generalCategory == .control ? " " : $0 }
        return "\"\(String(String.UnicodeScalarView(scalars)))\""
    }
}

/// A mapping of the foreign file that remembers what was asked of it: what nobody asked for ends as a note.
final class ImportSection {
    let path: String
    private let node: ForeignYAML?
    private let notes: ImportNotes
    private var asked: Set<String> = []

    init(_ node: ForeignYAML?, path: String, _ notes: ImportNotes) {
        self.node = node
        self.path = path
        self.notes = notes
        guard let node, !node.isNull, node.entries == nil else { return }
        notes.add(node.line, "\(path): not a mapping; left out")
    }

    /// The value at `key`; nil when absent or null.
    func value(_ key: String) -> ForeignYAML? {
        asked.insert(key)
        guard let value = node?[key], !value.isNull else { return nil }
        return value
    }

    func text(_ key: String) -> String? {
        guard let value = value(key) else { return nil }
        if let text = value.text { return text }
        notes.add(value.line, "\(path).\(key): not a single value; left out")
        return nil
    }

    /// A number from 0 to 10¹⁵.
    func number(_ key: String) -> Double? {
        guard let value = value(key) else { return nil }
        if let number = value.text.flatMap({ Double($0) }), number >= 0, number <= 1e15 { return number }
        notes.add(value.line, "\(path).\(key): not a number from 0 up; left out")
        return nil
    }

    func flag(_ key: String) -> Bool? {
        guard let text = text(key) else { return nil }
        switch text.lowercased() {
        case "true", "yes", "on": return true
        case "false", "no", "off": return false
        default: return nil
        }
    }

    func section(_ key: String) -> ImportSection { ImportSection(value(key), path: "\(path).\(key)", notes) }

    func line(_ key: String) -> Int { node?.entries?.first { $0.key == key }?.line ?? node?.line ?? 1 }

    /// Notes what nobody asked for. - Parameter hints: what to do instead, by key.
    func finish(_ hints: [String: String] = [:]) {
        for (key, line, value) in node?.entries ?? [] where !asked.contains(key) && !value.isNull {
            let name = ForeignYAML.looksSecret(key) ? "(hidden)" : String(ImportNotes.shown(key).dropFirst().dropLast())
            notes.add(line, "\(path).\(name): \(hints[key] ?? "has no counterpart here; left out")")
        }
        for (key, line) in node?.duplicates ?? [] {
            notes.add(
                line, "\(path).\(ImportNotes.shown(key)) stands there twice: the first one was taken, LiteLLM takes the last")
        }
    }
}
