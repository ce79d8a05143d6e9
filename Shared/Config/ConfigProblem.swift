/// One thing wrong with a configuration file.
package struct ConfigProblem: Error, Sendable, Codable, Hashable, CustomStringConvertible {
    /// The file as it was named by whoever loaded it.
    package var file: String
    /// The line of the key or value, from 1.
    package var line: Int
    /// The column in characters, from 1.
    package var column: Int
    /// The key path, e.g. `router.models[0].retry.base`; empty when the problem is the file's.
    package var key: String
    /// What stands there; `unknown key`, `duplicate key …` or `nothing` where there is no value. Never a secret.
    package var found: String
    /// What is allowed, e.g. `one of: dev, production`.
    package var expected: String
    /// The nearest known name or a corrected value.
    package var suggestion: String?

    /// A problem at a place of a file; see the properties.
    package init(
        file: String, line: Int, column: Int, key: String, found: String, expected: String, suggestion: String? = nil
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.found = found
        self.expected = expected
        self.suggestion = suggestion
    }

    /// `bulkhead.yaml:12:7: router.models[0].stratgy: unknown key; did you mean strategy? (expected one of: …)`
    package var description: String {
        let place = "\(file):\(line):\(column): "
        let subject = key.isEmpty ? "" : "\(key): "
        let hint = suggestion.map { "; did you mean \($0)?" } ?? ""
        return "\(place)\(subject)\(found)\(hint) (expected \(expected))"
    }

    /// Every member is there, `suggestion` as null when there is none: programs may rely on the shape.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(file, forKey: .file)
        try container.encode(line, forKey: .line)
        try container.encode(column, forKey: .column)
        try container.encode(key, forKey: .key)
        try container.encode(found, forKey: .found)
        try container.encode(expected, forKey: .expected)
        try container.encode(suggestion, forKey: .suggestion)
    }

    /// What `found` says of a key that the section does not have.
    static let unknownKey = "unknown key"
    /// What `found` says when a required key or value is absent.
    static let nothing = "nothing"
    /// What `found` says instead of a value that looks like a secret.
    static let hidden = "(hidden)"
}

/// Everything wrong with a configuration: what `check` prints and `serve` refuses with, exit code 78.
package struct ConfigProblems: Error, Sendable, CustomStringConvertible {
    /// At least one problem, sorted by place.
    package var problems: [ConfigProblem]

    /// - Parameter problems: at least one, in the order to be shown.
    package init(problems: [ConfigProblem]) { self.problems = problems }

    /// One line a problem.
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
