import BulkheadConfig
import Testing

@Test(
    "what is not YAML, or more than a configuration needs, is refused with its place",
    arguments: [
        ("it: {a: 1\n", "f.yaml:2:1: did not find expected ',' or '}'"),
        ("it:\n\ta: 1\n", "f.yaml:2:1: found character that cannot start any token"),
        ("a: \u{1}\n", "f.yaml:1:4: control characters are not allowed"),
        ("ä: \u{1}\n", "f.yaml:1:4: control characters are not allowed"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document"),
        ("- a\n", "f.yaml:1:1: a list"),
        ("hello\n", "f.yaml:1:1: a single value"),
        ("a: *nobody\n", "f.yaml:1:4: *nobody, which no anchor names"),
        ("a: &self [*self]\n", "f.yaml:1:11: *self, which no anchor names"),
        ("a: !!binary abcd\n", "f.yaml:1:4: a YAML tag"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "f.yaml:3:3: a merge key (<<)"),
        ("? [a]\n: 1\n", "f.yaml:1:3: a key that is not plain text"),
    ])
func refused(_ text: String, _ start: String) throws {
    let lines = refusal(text)
    #expect(lines.count == 1)
    #expect(lines.first?.hasPrefix(start) == true, "\(lines)")
}

@Test("nesting is bounded")
func depthIsBounded() {
    func nested(_ levels: Int) -> String {
        "it: " + String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    }
    #expect(refusal(nested(31)) == [])
    #expect(refusal(nested(32)) == ["f.yaml:1:36: more than 32 levels of nesting (expected at most 32)"])
    #expect(refusal(nested(100_000)).count == 1)
}

@Test("nesting through aliases is bounded")
func aliasDepthIsBounded() {
    let first = "a0: &a0 [[[[[[[[1]]]]]]]]\n"
    let chain = (1 ... 8).map { "a\($0): &a\($0) [[[[*a\($0 - 1)]]]]\n" }.joined()
    #expect(refusal(first + chain).first?.contains("more than 32 levels") == true)
}

@Test("aliases that multiply are refused before they use memory")
func billionLaughs() {
    let first = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    let more = (1 ... 20).map { level in
        "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
    }
    #expect(refusal(first + more.joined()).first?.contains("more than 200000 values") == true)
}

@Test("an alias stands for its value")
func aliases() throws {
    let document = try ConfigDocument.parse("it: { a: &x { n: 5 }, b: *x }\n", file: "f.yaml")
    let section = document.section("it")
    #expect(section.section("a").int("n", default: 0, in: 0 ... 9) == 5)
    #expect(section.section("b").int("n", default: 0, in: 0 ... 9) == 5)
    #expect(document.finish(knownSections: ["it"]) == [])
}

@Test("a file beyond the size limit is refused")
func sizeIsBounded() {
    let text = "# " + String(repeating: "x", count: ConfigDocument.maxBytes)
    #expect(refusal(text) == ["f.yaml:1:1: more than 4 MiB (expected at most that)"])
}

@Test("an empty file is an empty configuration", arguments: ["", "\n", "# nothing\n", "---\n", "null\n", "\u{FEFF}it: {}\n"])
func emptyFile(_ text: String) throws {
    #expect(try problems(text) { _ in } == [])
}

@Test("a file that is not there, and a folder, say so")
func unreadableFiles() {
    #expect { try ConfigDocument.load(path: "/nonexistent/f.yaml") } throws: { error in
        "\(error)".hasPrefix("/nonexistent/f.yaml:1:1: No such file or directory")
    }
    #expect { try ConfigDocument.load(path: "/tmp") } throws: { error in
        "\(error)".hasPrefix("/tmp:1:1: Is a directory")
    }
}

@Test("a file that is named wins over every other place")
func explicitFileWins() {
    #expect(ConfigDocument.locate(explicit: "x.yaml") == "x.yaml")
}
