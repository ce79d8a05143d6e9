import Testing

@Suite("Sizes a reader can hold") struct SizeTests {
    private static let fileLines = 600
    private static let functionLines = 70
    private static let mainLines = 60

    @Test("no file is longer than 600 lines")
    func files() {
        for file in SourceTree.files where !file.isGenerated {
            #expect(file.lines.count <= Self.fileLines + 1, "\(file) has \(file.lines.count) lines")
        }
    }

    @Test("no function is longer than 70 lines")
    func functions() {
        for file in SourceTree.files where !file.isGenerated && file.path != "Package.swift" {
            for function in Functions.of(file) {
                #expect(
                    function.lines <= Self.functionLines, "\(file):\(function.line): \(function.name) has \(function.lines) lines"
                )
            }
        }
    }

    @Test("half of all files have at most 150 lines, half of all functions at most 10")
    func medians() {
        let product = SourceTree.product
        #expect(median(product.map(\.lines.count)) <= 150)
        #expect(median(product.flatMap { Functions.of($0).map(\.lines) }) <= 10)
    }

    private func median(_ values: [Int]) -> Int {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    @Test("the main file of a program has at most 60 lines")
    func mains() {
        for file in SourceTree.product where file.path.hasSuffix("/Main.swift") {
            #expect(file.lines.count <= Self.mainLines + 1, "\(file) has \(file.lines.count) lines")
        }
    }

    @Test(
        "the counter counts",
        arguments: [("func f() {\n}\n", 2), ("func f() {\n    if x {\n    }\n}\nlet y = 1\n", 4), ("init() { }\n", 1)])
    func counter(_ text: String, _ lines: Int) {
        let functions = Functions.of(SourceFile(path: "x", text: text))
        #expect(functions.map(\.lines) == [lines])
    }

    @Test("comments and text are blanked, code inside an interpolation is not")
    func blanking() {
        let text = #"let a = "} // \(f("{", g())) {" // } {"# + "\n/* { /* { */ } */ let b = #\"\\( { \"#\n"
        #expect(Blanking.code(of: text)[0].filter { !$0.isWhitespace } == #"leta="\(f("",g()))""#)
        #expect(Blanking.code(of: text)[1].filter { !$0.isWhitespace } == "letb=#\"\"#")
    }
}

/// A function, initialiser or accessor block, found by counting braces.
struct Functions {
    var name: String
    var line: Int
    var lines: Int

    static func of(_ file: SourceFile) -> [Functions] {
        var found: [Functions] = []
        for (number, line) in file.code(holding: "func ", "init", "subscript") {
            let index = number - 1
            guard
                let match = line.firstMatch(
                    of:
                        /^\s*(?:@\w+(?:\([^)]*\))?\s+|[a-z]+(?:\(\w+\))?\s+)*(func\s+[^\s(<]+|init[?!]?\s*[(<]|deinit\s*\{|subscript\s*[(<])/
                )
            else { continue }
            guard let end = end(of: index, in: file.code) else { continue }
            found.append(Functions(name: String(match.1), line: index + 1, lines: end - index + 1))
        }
        return found
    }

    /// The last line of the body that begins at or after `start`; nil for a declaration without one.
    private static func end(of start: Int, in code: [String]) -> Int? {
        var (braces, parentheses, isOpen) = (0, 0, false)
        for index in start ..< code.count {
            for character in code[index] {
                switch character {
                case "(": parentheses += 1
                case ")": parentheses -= 1
                case "{":
                    if parentheses == 0 || isOpen {
                        braces += 1
                        isOpen = true
                    }
                case "}":
                    guard isOpen else {
                        // The end of a protocol: the requirement had no body.
                        if parentheses == 0 { return nil }
                        continue
                    }
                    braces -= 1
                    if braces == 0 { return index }
                default: break
                }
            }
            // A requirement of a protocol ends with its line, unless a parameter list or a result is still open.
            if !isOpen, parentheses == 0, index + 1 < code.count, startsAnother(code[index + 1]) { return nil }
        }
        return nil
    }

    private static func startsAnother(_ line: String) -> Bool {
        line.firstMatch(
            of:
                /^\s*(?:(?:@\w+|static|mutating|package|private|override)\s+)*(?:func|init|var|let|subscript|associatedtype|deinit)\b/
        ) != nil
            || line.allSatisfy(\.isWhitespace)
    }
}
