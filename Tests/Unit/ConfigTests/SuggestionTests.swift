import BulkheadConfig
import Testing

private func suggestion(for name: String, among known: [String]) throws -> String? {
    let document = try ConfigDocument.parse("it: { \(name): 1 }\n", file: "f.yaml")
    for key in known { _ = document.section("it").contains(key) }
    return document.finish(knownSections: ["it"]).first?.suggestion
}

@Test(
    "a misspelt name gets the nearest known one",
    arguments: [
        ("stratgy", "strategy"), ("strategyy", "strategy"), ("startegy", "strategy"), ("STRATEGY", "strategy"),
        ("max_concurent_requests", "max_concurrent_requests"), ("base_ulr", "base_url"), ("tll", "ttl"),
    ])
func nearest(_ typed: String, _ meant: String) throws {
    let known = ["targets", "strategy", "max_concurrent_requests", "base_url", "ttl"]
    #expect(try suggestion(for: typed, among: known) == meant)
}

@Test("a name three edits away is suggested, four edits away is not")
func editLimit() throws {
    #expect(try suggestion(for: "half_open_succXXX", among: ["half_open_success"]) == "half_open_success")
    #expect(try suggestion(for: "half_open_sucXXXX", among: ["half_open_success"]) == nil)
}

@Test("of a short name no more than 40 % may differ")
func shareLimit() throws {
    #expect(try suggestion(for: "abcXX", among: ["abcde"]) == "abcde")
    #expect(try suggestion(for: "abXX", among: ["abcd"]) == nil)
    #expect(try suggestion(for: "x", among: ["y"]) == nil)
}

@Test("two neighbours swapped are one mistake")
func swappedLetters() throws {
    #expect(try suggestion(for: "tpm", among: ["tmp"]) == "tmp")
}

@Test("a name too long to be a misspelling gets no suggestion")
func longNames() throws {
    #expect(
        try suggestion(for: "k" + String(repeating: "x", count: 200), among: ["k" + String(repeating: "x", count: 199)]) == nil)
}
