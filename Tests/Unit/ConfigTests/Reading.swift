import BulkheadConfig

/// Reads the top-level section `it` of a text and returns every problem as a line.
func problems(_ text: String, read: (ConfigSection) -> Void) throws -> [String] {
    let document = try ConfigDocument.parse(text, file: "f.yaml")
    read(document.section("it"))
    return document.finish(knownSections: ["it", "other"]).map(\.description)
}

/// The problem for which a text is refused before any section is read.
func refusal(_ text: String) -> [String] {
    do {
        _ = try ConfigDocument.parse(text, file: "f.yaml")
        return []
    } catch let error as ConfigProblems {
        return error.problems.map(\.description)
    } catch {
        return ["unexpected error \(error)"]
    }
}

/// The value of `key` in `it: { key: <text> }` with what was wrong with it.
func reading<T>(_ text: String, _ read: (ConfigSection, String) -> T) throws -> (value: T, problems: [String]) {
    let document = try ConfigDocument.parse("it:\n  key: \(text)\n", file: "f.yaml")
    let value = read(document.section("it"), "key")
    return (value, document.finish(knownSections: ["it"]).map(\.description))
}

enum Shade: String, CaseIterable {
    case light
    case dark
    case off
}
