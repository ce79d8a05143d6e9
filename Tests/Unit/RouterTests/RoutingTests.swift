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

    @Test("configured names are listed first, then the embedder, then the models providers serve by their own names")
    func listed() {
        let listed = table.listed()
        #expect(listed.map(\.name).prefix(3) == ["assistant", "gpt-5-mini", "all-MiniLM-L6-v2"])
        let rest = listed.dropFirst(3)
        #expect(rest.contains { $0.name == "o3-mini" && $0.provider == "first" })
        #expect(rest.contains { $0.name == "claude-opus-4-5" && $0.provider == "claude" })
        // Patterns are no names, and what they send to a model of their own is not what it is called.
        #expect(!rest.contains { $0.name.contains("*") || $0.name.hasPrefix("gpt-") || $0.name.hasPrefix("gemini-") })
        // A family is no model.
        #expect(!rest.contains { $0.name == "claude-3-7-sonnet" } && rest.contains { $0.name == "claude-3-7-sonnet-latest" })
        #expect(rest.map(\.name) == rest.map(\.name).sorted() && Set(listed.map(\.name)).count == listed.count)
        for name in rest.map(\.name) { #expect((try? table.route(name))?.targets.first?.model == name) }
    }

    @Test("a pattern that passes names on lists the known ones of its provider's dialect, priced ones of the operator's included")
    func passedOn() throws {
        let text = """
            router:
              providers: [{ name: g, destination: g, dialect: gemini }, { name: o, destination: o, dialect: openai }]
              models: [{ name: "*-pro", targets: [{ provider: g }] }, { name: "gpt-4.1*", targets: [{ provider: o }] }]
              model_info: [{ model: gemini-9-pro, price: { input: 1, output: 2 } }, { model: local-pro, context: 1000 }]
            """
        let table = RoutingTable(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
        #expect(
            table.listed().map { "\($0.provider)/\($0.name)" } == [
                "g/gemini-2.5-pro", "g/gemini-9-pro", "o/gpt-4.1", "o/gpt-4.1-mini", "o/gpt-4.1-nano",
            ])
    }

    private static let responsesOnly = [
        "gpt-5-pro", "gpt-5-pro-2025-10-06", "gpt-5-codex", "gpt-5.1-codex", "gpt-5.1-codex-max", "gpt-5.1-codex-mini",
        "gpt-5.2-pro", "o1-pro", "o3-pro", "o3-deep-research", "o4-mini-deep-research", "codex-mini-latest",
        "computer-use-preview",
    ]

    private func serving(_ dialect: String) throws -> RoutingTable {
        let text = "router:\n  providers: [{ name: p, destination: p, dialect: \(dialect), serve: all }]\n"
        return RoutingTable(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
    }

    @Test(
        "what OpenAI serves at /v1/responses only leads to providers of that dialect, and is listed for them",
        arguments: responsesOnly)
    func responses(model: String) throws {
        let (chat, responses) = (try serving("openai"), try serving("openai-responses"))
        #expect(try responses.route(model).targets.map(\.label) == ["p/\(model)"])
        let error = #expect(throws: CallError.self) { try chat.route(model) }
        #expect(error?.reason == "model_not_found" && error?.message.contains("dialect openai-responses") == true)
        #expect(!chat.listed().contains { $0.name == model })
        #expect(responses.listed().contains { $0.name == model } || model.hasSuffix("-06"))
    }

    @Test("names of fine-tuned models, and of models both know, lead to either", arguments: ["openai", "openai-responses"])
    func fineTuned(dialect: String) throws {
        let table = try serving(dialect)
        for model in ["ft:gpt-4o-mini-2024-07-18:acme::9abc", "gpt-5", "gpt-5.1", "o3", "gpt-5-mini"] {
            #expect(try table.route(model).targets.map(\.label) == ["p/\(model)"])
        }
        #expect(table.listed().contains { $0.name == "gpt-5.1" })
    }

    @Test("whoever writes such a model out, or passes it on, is taken at his word")
    func writtenOut() throws {
        let text = """
            router:
              providers: [{ name: p, destination: p, dialect: openai }]
              models: [{ name: deep, targets: [{ provider: p, model: o3-pro }] }, { name: "o1*", targets: [{ provider: p }] }]
            """
        let table = RoutingTable(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
        #expect(try table.route("deep").targets.map(\.model) == ["o3-pro"])
        #expect(try table.route("o1-pro").targets.map(\.model) == ["o1-pro"])
        #expect(table.listed().contains { $0.name == "o1" } && !table.listed().contains { $0.name == "o1-pro" })
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
