import BulkheadConfig
import BulkheadCore
import RouterService
import Testing

struct RoutingTests {
    private let table: RoutingTable

    init() throws {
        let text = """
            router:
              providers:
                - { name: first, destination: first, dialect: openai, serve: all }
                - { name: second, destination: second, dialect: openai, serve: all }
                - { name: claude, destination: claude, dialect: anthropic, serve: all }
                - { name: quiet, destination: quiet, dialect: openai }
                - { name: embedder, dialect: builtin }
              models:
                - { name: assistant, targets: [{ provider: quiet, model: small }] }
                - { name: "gpt-*", targets: [{ provider: quiet, model: any }] }
                - { name: "gpt-5*", targets: [{ provider: quiet, model: five }] }
                - { name: "gpt-5-mini", targets: [{ provider: quiet, model: mini }] }
            """
        table = RoutingTable(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
    }

    @Test(
        "the exact name wins over the most specific pattern, and that over a provider's own names",
        arguments: [
            ("assistant", ["quiet/small"]), ("gpt-5-mini", ["quiet/mini"]), ("gpt-5.1", ["quiet/five"]),
            ("gpt-4o", ["quiet/any"]),
            ("o3-mini", ["first/o3-mini", "second/o3-mini"]), ("claude-sonnet-5", ["claude/claude-sonnet-5"]),
            ("builtin", ["embedder/all-MiniLM-L6-v2"]), ("all-MiniLM-L6-v2", ["embedder/all-MiniLM-L6-v2"]),
        ])
    func resolution(model: String, targets: [String]) throws {
        #expect(try table.route(model).targets.map(\.label) == targets)
    }

    @Test("an unknown name is refused with the nearest ones")
    func unknown() {
        let error = #expect(throws: CallError.self) { try table.route("asistent") }
        #expect(error?.code == .notFound)
        #expect(error?.reason == "model_not_found")
        #expect(error?.message.contains("assistant") == true)
    }

    @Test("patterns are not listed, the builtin embedder is")
    func listed() {
        #expect(table.listed().map(\.name) == ["assistant", "gpt-5-mini", "all-MiniLM-L6-v2"])
    }

    @Test(
        "a star stands for any characters",
        arguments: [
            ("gpt-*", "gpt-", true), ("gpt-*", "gpt-5", true), ("gpt-*", "xgpt-5", false), ("*-mini", "gpt-5-mini", true),
            ("*-mini", "gpt-5-mini-2", false), ("a*b*c", "abbc", true), ("a*b*c", "ac", false), ("*", "", true),
            ("ab*ba", "aba", false),
            ("plain", "plain", true), ("plain", "plainer", false),
        ])
    func patterns(pattern: String, name: String, fits: Bool) {
        #expect(NamePattern(pattern).matches(name) == fits)
    }
}
