import BulkheadConfig
import Testing

// Made up here, of the shapes that are issued; put together so that no scanner takes this file for a leak.
private let body = "Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7"

@Test(
    "a value that looks like a secret is a problem wherever it stands, and is never shown",
    arguments: ["sk-proj-", "sk-ant-api03-", "AKIA", "AIza", "ghp_", "github_pat_", "xoxb-", "bh_", "whsec_"])
func issuedKeys(_ prefix: String) throws {
    let secret = prefix + body
    for text in [
        "it: { name: \"\(secret)\" }", "it: { names: [a, \"\(secret)\"] }", "it: { name: \"Bearer \(secret)\" }",
        "other: { deep: { list: [{ x: \"\(secret)\" }] } }", "it: { \(secret): 1 }", "it: { zzz: \"\(secret)\" }",
        "it: { number: \"\(secret)\" }", "it: { secret: \"\(secret)\" }", "it: { name: \"https://a/?key=\(secret)\" }",
    ] {
        let lines = try problems(text) {
            _ = $0.string("name", default: "")
            _ = $0.strings("names", default: [])
            _ = $0.int("number", default: 0, in: 0 ... 9)
            _ = $0.secretName("secret")
        }
        #expect(lines.contains { $0.contains("(hidden)") && $0.contains("the name of a secret") }, "\(text)")
        #expect(!lines.joined().contains("Zq7"), "\(lines)")
    }
}

@Test("a private key in the file is a problem")
func privateKey() throws {
    let text = "it:\n  name: |\n    -----BEGIN EC PRIVATE KEY-----\n    abc\n"
    let lines = try problems(text) { _ = $0.string("name", default: "") }
    #expect(lines.count == 1)
    #expect(lines.first?.hasPrefix("f.yaml:2:9: it.name: (hidden)") == true)
}

@Test("a random value under a telling key is a problem")
func randomValues() throws {
    let text = "it: { db_password: 9f8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c }"
    #expect(try problems(text) { _ = $0.string("db_password", default: "") }.count == 1)
}

@Test(
    "what is no secret is left alone",
    arguments: [
        "name: sk-learn", "name: task-1234567890123456789012", "name: bh_demo",
        "password_file: /run/secrets/a-very-long-path-to-a-password",
        "secret: A_VERY_LONG_NAME_OF_A_SECRET_NUMBER_2", "name: 9f8a7c6b5d4e3f2a1b0c9d8e7f6a5b4c",
        "token: this is a sentence about tokens, not a token", "name: sk-a-model-with-a-very-long-name-indeed",
    ])
func harmlessValues(_ text: String) throws {
    let lines = try problems("it: { \"\(text.replacing(": ", with: "\": \""))\" }") { section in
        for key in section.keys() { _ = section.string(key, default: "") }
    }
    #expect(lines == [])
}

@Test("a secret is referred to by a NAME; anything else is hidden, since it may be the secret")
func secretNames() throws {
    for text in ["hunter2", "openai key", "OPENAI-KEY", "1KEY", "\"\"", "_KEY", "ÄKEY"] {
        let read = try reading(text) { $0.secretName($1) }
        #expect(read.value == nil)
        #expect(read.problems.count == 1)
        #expect(read.problems.first?.hasPrefix("f.yaml:2:8: it.key: (hidden) (expected the name of a secret") == true)
    }
    #expect(try reading("OPENAI_API_KEY") { $0.secretName($1) }.value == "OPENAI_API_KEY")
    #expect(try reading("null") { $0.secretName($1) }.problems == [])
}

@Test("a secret where a number, a choice or a section belongs is told once")
func secretsAreToldOnce() throws {
    let secret = "sk-proj-" + body
    let lines = try problems("it:\n  a: \(secret)\n  b: \(secret)\n  c: \(secret)\n  d: \(secret)\n") {
        _ = $0.int("a", default: 0, in: 0 ... 9)
        _ = $0.choice("b", default: Shade.light)
        _ = $0.section("c")
        $0.reference("d", $0.requiredString("d"), among: ["x"], what: "a thing")
    }
    #expect(lines.map { $0.split(separator: " ")[0] } == ["f.yaml:2:6:", "f.yaml:3:6:", "f.yaml:4:6:", "f.yaml:5:6:"])
}
