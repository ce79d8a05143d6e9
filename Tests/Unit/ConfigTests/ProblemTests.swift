import BulkheadConfig
import Testing

/// One kind of problem: a file, how it is read, and the exact lines that are expected.
struct ProblemCase: Sendable, CustomTestStringConvertible {
    var name: String
    var text: String
    var expected: [String]
    var read: @Sendable (ConfigSection) -> Void

    init(_ name: String, _ text: String, _ expected: [String], read: @escaping @Sendable (ConfigSection) -> Void) {
        (self.name, self.text, self.expected, self.read) = (name, text, expected, read)
    }

    var testDescription: String { name }
}

private let cases: [ProblemCase] = [
    ProblemCase(
        "unknown key with a near name", "it:\n  stratgy: ordered\n",
        ["f.yaml:2:3: it.stratgy: unknown key; did you mean strategy? (expected one of: name, strategy)"]
    ) {
        _ = $0.string("name", default: "")
        _ = $0.string("strategy", default: "")
    },
    ProblemCase(
        "unknown key with no near name", "it: { name: a, zzzzzz: 1 }\n",
        ["f.yaml:1:16: it.zzzzzz: unknown key (expected one of: name)"]
    ) { _ = $0.string("name", default: "") },
    ProblemCase(
        "a name that is taken is not suggested for a misspelt neighbour", "it: { base: 1, bas: 2 }\n",
        ["f.yaml:1:16: it.bas: unknown key; did you mean bus? (expected one of: base, bus)"]
    ) {
        _ = $0.int("base", default: 0, in: 0 ... 9)
        _ = $0.int("bus", default: 0, in: 0 ... 9)
    },
    ProblemCase(
        "unknown section", "it: {}\nothr: {}\n",
        ["f.yaml:2:1: othr: unknown key; did you mean other? (expected one of: it, other)"]
    ) { _ in },
    ProblemCase(
        "duplicate key", "it:\n  a: 1\n  a: 2\n",
        ["f.yaml:3:3: it.a: duplicate key, first on line 2 (expected each key once)"]
    ) { _ = $0.int("a", default: 0, in: 0 ... 9) },
    ProblemCase(
        "duplicate section", "it: {}\nother: {}\nit: {}\n",
        ["f.yaml:3:1: it: duplicate key, first on line 1 (expected each key once)"]
    ) { _ in },
    ProblemCase(
        "a word for a number", "it:\n  tries: many\n",
        ["f.yaml:2:10: it.tries: many (expected a whole number from 1 to 9)"]
    ) { _ = $0.int("tries", default: 1, in: 1 ... 9) },
    ProblemCase(
        "a quoted number", "it:\n  tries: \"3\"\n",
        ["f.yaml:2:10: it.tries: \"3\"; did you mean 3 without quotes? (expected a whole number from 1 to 9)"]
    ) { _ = $0.int("tries", default: 1, in: 1 ... 9) },
    ProblemCase(
        "a number out of range", "it: { depth: -4 }\n",
        ["f.yaml:1:14: it.depth: -4 (expected a whole number of at least 0)"]
    ) { _ = $0.int("depth", default: 1, in: 0 ... .max) },
    ProblemCase(
        "a fraction out of range", "it: { ratio: 7.5 }\n",
        ["f.yaml:1:14: it.ratio: 7.5 (expected a number from 0 to 1)"]
    ) { _ = $0.double("ratio", default: 1, in: 0 ... 1) },
    ProblemCase(
        "not a number", "it: { ratio: .nan }\n",
        ["f.yaml:1:14: it.ratio: .nan (expected a number from 0 to 1)"]
    ) { _ = $0.double("ratio", default: 1, in: 0 ... 1) },
    ProblemCase(
        "yes for true", "it: { enabled: yes }\n",
        ["f.yaml:1:16: it.enabled: yes; did you mean true? (expected true or false)"]
    ) { _ = $0.bool("enabled", default: false) },
    ProblemCase(
        "a duration with a unit nobody knows", "it: { wait: 3parsecs }\n",
        ["f.yaml:1:13: it.wait: 3parsecs (expected a duration from 0s to 1m, e.g. 250ms, 30s, 5m, 1h, 2d)"]
    ) { _ = $0.duration("wait", default: .zero, in: .zero ... .seconds(60)) },
    ProblemCase(
        "a duration without a unit", "it: { wait: 30 }\n",
        [
            "f.yaml:1:13: it.wait: 30; did you mean 30s? (expected a duration from 0s to 1m, e.g. 250ms, 30s, 5m, 1h, 2d)"
        ]
    ) { _ = $0.duration("wait", default: .zero, in: .zero ... .seconds(60)) },
    ProblemCase(
        "a size that is none", "it: { most: 10 bananas }\n",
        [
            "f.yaml:1:13: it.most: 10 bananas (expected a size from 1KiB to 1GiB, e.g. 512B, 64KiB, 10MiB, 1GiB, 5MB)"
        ]
    ) { _ = $0.size("most", default: 1024, in: 1024 ... 1 << 30) },
    ProblemCase(
        "a misspelt choice", "it:\n  shade: drak\n",
        ["f.yaml:2:10: it.shade: drak; did you mean dark? (expected one of: light, dark, off)"]
    ) { _ = $0.choice("shade", default: Shade.light) },
    ProblemCase(
        "a list for text", "it: { name: [a] }\n", ["f.yaml:1:13: it.name: a list (expected text)"]
    ) { _ = $0.string("name", default: "") },
    ProblemCase(
        "text for a list", "it: { names: a }\n", ["f.yaml:1:14: it.names: a (expected a list of texts, e.g. [a])"]
    ) { _ = $0.strings("names", default: []) },
    ProblemCase(
        "a mapping in a list of texts", "it: { names: [a, {}] }\n",
        ["f.yaml:1:18: it.names[1]: a mapping (expected text)"]
    ) { _ = $0.strings("names", default: []) },
    ProblemCase(
        "text for a section", "it: { inner: 5 }\n", ["f.yaml:1:14: it.inner: 5 (expected a mapping (key: value))"]
    ) { _ = $0.section("inner").int("a", default: 1, in: 0 ... 9) },
    ProblemCase("text for the whole section", "it: hello\n", ["f.yaml:1:5: it: hello (expected a mapping (key: value))"]) { _ in
    },
    ProblemCase(
        "text in a list of mappings", "it:\n  items:\n    - { a: 1 }\n    - b\n",
        ["f.yaml:4:7: it.items[1]: b (expected a mapping (key: value))"]
    ) { for item in $0.list("items") { _ = item.int("a", default: 0, in: 0 ... 9) } },
    ProblemCase(
        "a required key that is absent", "it:\n  items:\n    - { b: 1 }\n",
        ["f.yaml:3:7: it.items[0].a: nothing (expected text that is not empty)"]
    ) { for item in $0.list("items") { _ = (item.requiredString("a"), item.contains("b")) } },
    ProblemCase(
        "a required key in an absent section", "other: {}\n",
        ["f.yaml:1:1: it.a: nothing (expected text that is not empty)"]
    ) { _ = $0.requiredString("a") },
    ProblemCase(
        "a reference to nothing", "it: { provider: dmo }\n",
        ["f.yaml:1:17: it.provider: dmo; did you mean demo? (expected a provider, one of: demo, openai)"]
    ) { $0.reference("provider", $0.requiredString("provider"), among: ["demo", "openai"], what: "a provider") },
    ProblemCase(
        "a port out of range", "it:\n  listen: 127.0.0.1:99999\n",
        [
            "f.yaml:2:11: it.listen: 127.0.0.1:99999 (expected host:port such as 127.0.0.1:8080 or [::1]:8080, port 1 to 65535)"
        ]
    ) { _ = $0.hostPort("listen", default: HostPort(host: "127.0.0.1", port: 80)) },
    ProblemCase(
        "not a url", "it: { url: not a url }\n",
        ["f.yaml:1:12: it.url: not a url (expected an absolute URL with https:// or http:// and a host)"]
    ) { _ = $0.url("url", schemes: ["https", "http"]) },
    ProblemCase(
        "columns count characters, not bytes", "it: { \"ä\": 1, b: 2 }\n",
        ["f.yaml:1:15: it.b: unknown key (expected one of: ä)"]
    ) { _ = $0.contains("ä") },
    ProblemCase(
        "an unknown key in a mapping of names", "it:\n  map:\n    one: { a: 1 }\n    two: { bcde: 1 }\n",
        ["f.yaml:4:12: it.map.two.bcde: unknown key (expected one of: a)"]
    ) { for (_, section) in $0.map("map") { _ = section.int("a", default: 0, in: 0 ... 9) } },
]

@Test("each kind of problem says where it is, what was found, what is allowed and what is near", arguments: cases)
func eachKindOfProblem(_ one: ProblemCase) throws {
    #expect(try problems(one.text, read: one.read) == one.expected)
}

@Test("all problems of a file are listed at once, in the order of the file")
func allAtOnce() throws {
    let text = "it:\n  c: x\n  zz: 1\n  a: y\n  a: 1\nwhat: {}\n"
    let lines = try problems(text) {
        _ = $0.int("a", default: 0, in: 0 ... 9)
        _ = $0.int("c", default: 0, in: 0 ... 9)
    }
    #expect(
        lines.map { $0.split(separator: " ")[0] } == ["f.yaml:2:6:", "f.yaml:3:3:", "f.yaml:4:6:", "f.yaml:5:3:", "f.yaml:6:1:"])
}

@Test("the contents of another service's section are not checked")
func otherSectionsAreLeftAlone() throws {
    #expect(try problems("it: {}\nother: { whatever: [1, 2], twice: 1, twice: 2 }\n") { _ in } == [])
}

@Test("a section that is read twice tells its problems once")
func problemsAreToldOnce() throws {
    let lines = try problems("it: { inner: { a: x, b: 1 } }\n") {
        _ = $0.section("inner").int("a", default: 0, in: 0 ... 9)
        _ = $0.section("inner").int("a", default: 0, in: 0 ... 9)
    }
    #expect(lines.count == 2)
}

@Test("no more than a bounded number of problems is kept")
func problemsAreBounded() throws {
    let text = "it:\n" + (0 ..< 2000).map { "  k\($0): 1\n" }.joined()
    #expect(try problems(text) { _ in }.count == 500)
}

@Test("null and an empty value mean: not set")
func nullIsAbsent() throws {
    let document = try ConfigDocument.parse("it: { a: null, b: ~, c: }\n", file: "f.yaml")
    let section = document.section("it")
    #expect(section.optionalString("a") == nil)
    #expect(section.int("b", default: 7, in: 0 ... 9) == 7)
    #expect(!section.contains("c"))
    #expect(document.finish(knownSections: ["it"]) == [])
}
