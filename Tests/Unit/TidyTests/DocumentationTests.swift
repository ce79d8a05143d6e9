import Testing

@Suite("What others use is explained") struct DocumentationTests {
    /// Members a protocol demands and explains: repeating its words would say nothing.
    private static let witnesses: Set<String> = [
        "description", "==", "<", "hash", "encode", "init(from", "store", "init(loading", "descriptor", "next",
        "makeAsyncIterator", "id",
        "rawValue", "allCases", "Configuration", "name", "peers", "callers", "schemas", "methods", "verbs", "start", "reload",
        "drain", "breakers",
        "forceBreaker", "collectMetrics", "commands", "abstract", "configuration", "run", "log", "metadata", "logLevel",
        "sectionName",
        "init(section", "init(configuration", "subscript(metadataKey", "metrics", "invoke", "makeIterator", "underestimatedCount",
    ]

    @Test("every declaration other modules use has a doc comment")
    func documented() {
        for file in SourceTree.files where file.path.hasPrefix("Shared/") && !file.isGenerated {
            for (number, line) in file.code(holding: "package ") {
                guard let name = Self.declared(line), !Self.witnesses.contains(name), !name.hasSuffix("Literal") else { continue }
                let isDocumented = Self.isDocumented(number - 1, file)
                #expect(isDocumented, "\(file):\(number): \(line.trimmed)")
            }
        }
    }

    /// The name of what a line declares for other modules.
    private static func declared(_ line: String) -> String? {
        let pattern =
            /^\s*(?:@\w+(?:\([^)]*\))?\s+)*package\s+(?:(?:static|final|mutating|nonisolated|indirect|override|convenience|consuming|borrowing)\s+|private\(set\)\s+|package\(set\)\s+)*(?:(func|struct|enum|class|protocol|var|let|typealias|actor)\s+`?([^\s(<:=`]+)|(init[?]?\s*(?:<[^>]*>)?\(\s*\w*)|(subscript\s*\(\s*\w*))/
        guard let match = line.firstMatch(of: pattern) else { return nil }
        if let name = match.2 { return String(name) }
        return (match.3 ?? match.4).map { $0.filter { $0 != "?" && $0 != " " } }
    }

    /// Whether a doc comment stands before the line, attributes between them aside. Members that stand in one block without a
    /// blank line share the comment of the first: `traceHigh`, `traceLow`.
    private static func isDocumented(_ number: Int, _ file: SourceFile) -> Bool {
        var above = number - 1
        while above >= 0 {
            let line = file.lines[above].trimmed
            if line.hasPrefix("///") { return true }
            if line.isEmpty || line.hasSuffix("{") || line.hasSuffix("}") { return false }
            guard line.hasPrefix("@") || line.hasPrefix("package let") || line.hasPrefix("package var") else { return false }
            above -= 1
        }
        return false
    }

    @Test("every service has a manual page, a composition root, its configuration and its peers", arguments: ImportTests.services)
    func layout(_ service: String) {
        let module = "Services/\(service)/Sources/\(service)Service"
        for file in [
            "Services/\(service)/README.md", "\(module)/\(service)Daemon.swift", "\(module)/\(service)Configuration.swift",
            "\(module)/\(service)Peers.swift", "Services/\(service)/Sources/bulkhead-\(service.lowercased())/Main.swift",
        ] {
            #expect(SourceTree.exists(file), "\(file) is missing")
        }
    }

    @Test("the other programs have a manual page too", arguments: ["Suite", "DemoProvider"])
    func pages(_ program: String) {
        #expect(SourceTree.exists("Services/\(program)/README.md"), "Services/\(program)/README.md is missing")
    }

    @Test("no folder or type has a name that says nothing")
    func names() {
        let empty = /(?:^|\/)(?:\w*(?:Utils|Utilities|Helpers?|Manager|Common|Misc)|Base|Impl|Info)(?:\/|\.swift$|$)/
        for file in SourceTree.files { #expect(file.path.firstMatch(of: empty) == nil, "\(file)") }
        let type = /\b(?:struct|class|enum|actor|protocol)\s+(\w*(?:Utils|Utilities|Helpers?|Manager|Impl)|Base|Common|Info)\b/
        for file in SourceTree.product {
            for (number, line) in file.code(holding: "struct ", "class ", "enum ", "actor ", "protocol ") {
                #expect(line.firstMatch(of: type) == nil, "\(file):\(number): \(line.trimmed)")
            }
        }
    }

    @Test("no file is a placeholder")
    func placeholders() {
        for file in SourceTree.files {
            #expect(!file.path.hasSuffix("/Placeholder.swift"), "\(file)")
        }
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return String(text)
    }
}
