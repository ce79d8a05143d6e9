import BulkheadConfig
import Testing

/// A small generator with a seed, so that a failure can be run again (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A tree with its types, which can be written as YAML and read back.
private indirect enum Tree {
    case number(Int)
    case truth(Bool)
    case text(String)
    case duration(milliseconds: Int)
    case texts([String])
    case section([(String, Tree)])
    case list([[(String, Tree)]])

    static func random(_ generator: inout SeededGenerator, depth: Int) -> Tree {
        switch Int.random(in: 0 ..< (depth > 0 ? 7 : 5), using: &generator) {
        case 0: .number(.random(in: -1_000_000 ... 1_000_000, using: &generator))
        case 1: .truth(.random(using: &generator))
        case 2: .text(word(&generator))
        case 3: .duration(milliseconds: .random(in: 0 ... 1_000_000, using: &generator))
        case 4: .texts((0 ..< Int.random(in: 0 ... 4, using: &generator)).map { _ in word(&generator) })
        case 5: .section(entries(&generator, depth: depth - 1))
        default: .list((0 ..< Int.random(in: 0 ... 3, using: &generator)).map { _ in entries(&generator, depth: depth - 1) })
        }
    }

    static func entries(_ generator: inout SeededGenerator, depth: Int) -> [(String, Tree)] {
        let names = Set((0 ..< Int.random(in: 0 ... 5, using: &generator)).map { _ in "k" + word(&generator) })
        return names.sorted().map { ($0, random(&generator, depth: depth)) }
    }

    static func word(_ generator: inout SeededGenerator) -> String {
        let letters = Array("abcxyzÄß日 :#-{}[],&*!|>'\"%@`\\0159~_\t\u{1F600}")
        return String(
            (0 ..< Int.random(in: 0 ... 12, using: &generator)).compactMap { _ in letters.randomElement(using: &generator) })
    }

    /// Flow style on one line.
    var yaml: String {
        switch self {
        case .number(let number): "\(number)"
        case .truth(let truth): "\(truth)"
        case .text(let text): Self.quoted(text)
        case .duration(let milliseconds): "\(milliseconds)ms"
        case .texts(let texts): "[" + texts.map(Self.quoted).joined(separator: ", ") + "]"
        case .section(let entries): Self.mapping(entries)
        case .list(let items): "[" + items.map(Self.mapping).joined(separator: ", ") + "]"
        }
    }

    static func mapping(_ entries: [(String, Tree)]) -> String {
        "{" + entries.map { "\(quoted($0)): \($1.yaml)" }.joined(separator: ", ") + "}"
    }

    static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\t", with: "\\t") + "\""
    }

    static func expect(_ entries: [(String, Tree)], in section: ConfigSection) {
        #expect(section.keys() == entries.map(\.0))
        for (key, tree) in entries { tree.expect(in: section, key) }
    }

    func expect(in section: ConfigSection, _ key: String) {
        switch self {
        case .number(let number): #expect(section.int(key, default: .min, in: .min ... .max) == number)
        case .truth(let truth): #expect(section.bool(key, default: !truth) == truth)
        case .text(let text): #expect(section.string(key, default: "default") == text)
        case .duration(let milliseconds):
            let range: ClosedRange<Duration> = .zero ... .seconds(1000)
            #expect(section.duration(key, default: .zero, in: range) == .milliseconds(milliseconds))
        case .texts(let texts): #expect(section.strings(key, default: ["default"]) == texts)
        case .section(let entries): Self.expect(entries, in: section.section(key))
        case .list(let items):
            let sections = section.list(key)
            #expect(sections.count == items.count)
            for (item, inner) in zip(items, sections) { Self.expect(item, in: inner) }
        }
    }
}

@Test("any valid tree reads back as it was written, without problems", arguments: 0 ..< 200)
func roundTrip(seed: UInt64) throws {
    var generator = SeededGenerator(state: seed)
    let entries = Tree.entries(&generator, depth: 4)
    let document = try ConfigDocument.parse("it: \(Tree.mapping(entries))\n", file: "f.yaml")
    Tree.expect(entries, in: document.section("it"))
    #expect(document.finish(knownSections: ["it"]) == [])
}

@Test("no bytes crash the reader, and whatever it refuses has a place in the text", arguments: 0 ..< 200)
func mutatedText(seed: UInt64) {
    var generator = SeededGenerator(state: seed)
    var scalars = Array(ConfigTemplate.development.unicodeScalars)
    let strange: [Unicode.Scalar] = [
        "\0", "\t", "&", "*", "{", "}", "[", "]", ":", "-", "\"", "'", "|", ">", "%", "\n", "\u{FEFF}", "é",
    ]
    for _ in 0 ..< Int.random(in: 1 ... 8, using: &generator) {
        guard let scalar = strange.randomElement(using: &generator) else { continue }
        scalars[Int.random(in: 0 ..< scalars.count, using: &generator)] = scalar
    }
    let text = String(String.UnicodeScalarView(scalars))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
    do {
        let document = try ConfigDocument.parse(text, file: "f.yaml")
        _ = SuiteConfiguration(section: document.section("suite"))
        _ = document.finish(knownSections: SuiteConfiguration.sectionNames)
    } catch {
        let problems = (error as? ConfigProblems)?.problems ?? []
        #expect(problems.count == 1)
        #expect(problems.allSatisfy { (1 ... lines).contains($0.line) && $0.column >= 1 })
    }
}
