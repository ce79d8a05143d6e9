/// One setting as it is in force, for `config --effective`.
package struct EffectiveValue: Sendable, Hashable, CustomStringConvertible {
    /// Where a value comes from.
    package enum Source: Sendable, Hashable {
        /// The file, at this line (from 1).
        case file(line: Int)
        /// Not in the file.
        case defaulted
    }

    /// The key path, e.g. `edge.queue.depth`.
    package var key: String
    /// The value as one would write it in the file; `null` when unset, `(hidden)` when it looks like a secret.
    package var value: String
    /// Where the value comes from.
    package var source: Source

    /// A setting and where it comes from.
    package init(key: String, value: String, source: Source) {
        self.key = key
        self.value = value
        self.source = source
    }

    /// `edge.queue.depth: 256  # line 12` or `# default`.
    package var description: String {
        switch source {
        case .file(let line): "\(key): \(value)  # line \(line)"
        case .defaulted: "\(key): \(value)  # default"
        }
    }
}

/// `{"key", "value", "source": "file" | "default", "line": number | null}`
extension EffectiveValue: Codable {
    private enum Member: String, CodingKey { case key, value, source, line }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Member.self)
        let line = try container.decodeIfPresent(Int.self, forKey: .line)
        self.init(
            key: try container.decode(String.self, forKey: .key), value: try container.decode(String.self, forKey: .value),
            source: line.map { .file(line: $0) } ?? .defaulted)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Member.self)
        try container.encode(key, forKey: .key)
        try container.encode(value, forKey: .value)
        let line: Int? = if case .file(let line) = source { line } else { nil }
        try container.encode(line == nil ? "default" : "file", forKey: .source)
        try container.encode(line, forKey: .line)
    }
}
