import BulkheadConfig
import RouterService
import Testing

struct RouteLintTests {
    /// One rule that can never fire: the lines under `- name: m`, the key that is told, and a word of the advice.
    struct Case: Sendable, CustomTestStringConvertible {
        var title: String
        var lines: [String]
        var key: String
        var advice: String
        var cache = "exact: { when: always }"
        var testDescription: String { title }
    }

    private static let two = "targets: [{ provider: a, model: x }, { provider: b, model: y }]"
    private static let three =
        "targets: [{ provider: a, model: x }, { provider: b, model: y }, { provider: b, model: z }]"
    private static let one = "targets: [{ provider: a, model: x }]"

    static let refused: [Case] = [
        Case(
            title: "something after answer", lines: [one, "fallbacks: [target, answer, stale_cache]", "fallback_answer: later"],
            key: "router.models[0].fallbacks", advice: "as the last one"),
        Case(
            title: "answer without its text", lines: [one, "fallbacks: [target, answer]"],
            key: "router.models[0].fallback_answer", advice: "the text of the answer"),
        Case(
            title: "a text without answer", lines: [one, "fallbacks: [target]", "fallback_answer: later"],
            key: "router.models[0].fallback_answer", advice: "answer in fallbacks"),
        Case(
            title: "a stale answer of a cache that is off", lines: [one, "fallbacks: [target, stale_cache]"],
            key: "router.models[0].fallbacks", advice: "when: always", cache: "exact: { when: \"off\" }"),
        Case(
            title: "targets nobody falls back to", lines: [two, "fallbacks: [answer]", "fallback_answer: later"],
            key: "router.models[0].fallbacks", advice: "never reached"),
        Case(
            title: "more tries of a target than tries", lines: [one, "retry: { max_tries: 2, tries_per_target: 3 }"],
            key: "router.models[0].retry.tries_per_target", advice: "at most max_tries, 2"),
        Case(
            title: "a target twice", lines: ["targets: [{ provider: a, model: x }, { provider: a, model: x, weight: 2 }]"],
            key: "router.models[0].targets[1].model", advice: "weight"),
        Case(
            title: "a first-token limit beyond the total", lines: [one, "timeouts: { first_token: 60s, total: 60s }"],
            key: "router.models[0].timeouts.first_token", advice: "less than total, 60s"),
        Case(
            title: "a silence limit beyond the total", lines: [one, "timeouts: { between_tokens: 61s, total: 60s }"],
            key: "router.models[0].timeouts.between_tokens", advice: "less than total"),
        Case(
            title: "a first-token limit beyond the usual total", lines: [one, "timeouts: { first_token: 700s }"],
            key: "router.models[0].timeouts.first_token", advice: "less than total, 600s unless it is written"),
        Case(
            title: "nobody who could replay", lines: [one, "on_stream_break: replay", "retry: { tries_per_target: 1 }"],
            key: "router.models[0].on_stream_break", advice: "another target"),
        Case(
            title: "no second try to go on",
            lines: [two, "strategy: weighted", "on_stream_break: continue", "retry: { max_tries: 1 }"],
            key: "router.models[0].on_stream_break", advice: "max_tries of at least 2"),
        Case(
            title: "a replay by targets nobody falls back to",
            lines: [
                two, "strategy: weighted", "on_stream_break: replay", "retry: { tries_per_target: 1 }", "fallbacks: [answer]",
                "fallback_answer: later",
            ],
            key: "router.models[0].on_stream_break", advice: "error or buffer"),
        Case(
            title: "the cheapest of models without prices", lines: [two, "strategy: cheapest"],
            key: "router.models[0].strategy", advice: "model: x, price:"),
        Case(
            title: "a semantic cache", lines: [one], key: "router.cache.semantic.enabled", advice: "no semantic cache",
            cache: "semantic: { enabled: true }"),
    ]

    @Test("a rule that can never fire is refused at its place, with what to do", arguments: refused)
    func refusal(one: Case) throws {
        let text = Self.text(one.lines, cache: one.cache)
        let found = problems(text)
        let problem = try #require(found.first)
        #expect(found.count == 1 && problem.key == one.key && problem.expected.contains(one.advice), "\(found)")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let last = one.key.split(separator: ".").last.map { $0.prefix { $0 != "[" } } ?? ""
        #expect(problem.column > 1 && (1 ... lines.count).contains(problem.line))
        // At the key's line, or at the model when the key is missing.
        #expect(lines[problem.line - 1].contains(last) || lines[problem.line - 1].contains("name: m"))
    }

    @Test(
        "what may fire is accepted",
        arguments: [
            [one, "fallbacks: [target, answer]", "fallback_answer: later"],
            [one, "on_stream_break: replay"],
            [one, "fallbacks: [stale_cache, answer]", "fallback_answer: later"],
            ["strategy: ordered", "targets: [{ provider: a, model: x, weight: 3 }, { provider: b, model: y }]"],
            ["strategy: weighted", two, "retry: { max_tries: 1, tries_per_target: 1 }"],
            [two, "retry: { max_tries: 2, tries_per_target: 2 }"],
            [one, "retry: { max_tries: 1 }"],
            // Whom a breaker or a switch keeps away costs no try: the later ones are reached.
            [two, "retry: { max_tries: 1, tries_per_target: 1 }"], [three, "retry: { max_tries: 2 }"],
            ["targets: [{ provider: a, model: x }, { provider: a, model: y }, { provider: b, model: x }]"],
            [one, "timeouts: { first_token: 700s, total: 800s }"],
            [one, "timeouts: { total: 10s }"], [one, "timeouts: { connect: 1s, first_token: 1s }"],
            [one, "on_stream_break: buffer", "retry: { tries_per_target: 1 }"],
            [two, "on_stream_break: replay", "retry: { tries_per_target: 1 }"],
            ["strategy: cheapest", "targets: [{ provider: a, model: x }, { provider: b, model: gpt-5-mini }]"],
        ])
    func accepted(lines: [String]) {
        #expect(problems(Self.text(lines, cache: "exact: { when: always }")) == [])
    }

    @Test("tries that are not written leave room for every target")
    func roomForAll() throws {
        let targets = (0 ..< 7).map { "{ provider: a, model: m\($0) }" }.joined(separator: ", ")
        let text = Self.text(["targets: [\(targets)]", "retry: { tries_per_target: 9 }"], cache: "{}")
        let router = try loadConfiguration(
            RouterConfiguration.self, text: text.replacing("cache: { {} }", with: ""), file: "t.yaml")
        #expect(router.service.models[0].retry.maxTries == 9)
    }

    @Test(
        "a pattern whose names all go to another one is refused",
        arguments: [
            (["gpt-*", "gpt-**"], ["gpt-**"]), (["*gpt-*", "gpt-*"], ["gpt-*"]), (["*", "**"], ["**"]),
            (["gpt-*", "*gpt-*"], []), (["a*b", "*ab*", "ab*"], ["ab*"]), (["gpt-*", "gpt-4*", "*"], []),
            (["a*c", "a*b*c"], []), (["*a*b*", "a*b"], ["a*b"]),
        ])
    func patterns(names: [String], refused: [String]) {
        let models = names.map { "\n    - { name: \"\($0)\", targets: [{ provider: a, model: x }] }" }.joined()
        let found = problems("router:\n  providers: [{ name: a, destination: a, dialect: openai }]\n  models:\(models)\n")
        #expect(found.compactMap { $0.found.split(separator: ",").first.map(String.init) } == refused)
    }

    /// Targets and providers that can never work: the provider, the model of a route to it, the key that is told, the advice.
    static let unasked: [(provider: String, model: String, key: String, advice: String)] = [
        ("dialect: bedrock, serve: all", "nova-lite", "router.providers[0].serve", "eu.anthropic.*"),
        ("dialect: gemini", "tunedModels/mine", "router.models[0].targets[0].model", "gemini-2.5-flash"),
        ("dialect: bedrock", "arn:aws:bedrock:eu:1:p/x", "router.models[0].targets[0].model", "writes it into a path"),
    ]

    @Test("a target or provider that can never be asked is refused", arguments: unasked)
    func hopeless(provider: String, model: String, key: String, advice: String) {
        let found = problems(
            """
            router:
              providers: [{ name: p, destination: p, \(provider) }]
              models: [{ name: m, targets: [{ provider: p, model: "\(model)" }] }]
            """)
        #expect(found.count == 1 && found.first?.key == key && found.first?.expected.contains(advice) == true, "\(found)")
    }

    static let destinations: [(credentials: String, keys: [String])] = [
        ("credentials: { destinations: { one: { base_url: https://one.example }, others: { sceret: x } } }", ["[1]", "[2]"]),
        ("credentials: { destinations: { one: {}, other: {}, elsewhere: {} } }", []),
        ("credentials: {}", ["[0]", "[1]", "[2]"]),
        // The credentials service tells what is wrong with its own section, and has it where this file does not.
        ("credentials: { destinations: [one] }", []), ("telemetry: {}", []),
    ]

    @Test("a destination that the section credentials does not have is refused, all of them at once", arguments: destinations)
    func unknownDestinations(credentials: String, keys: [String]) {
        let found = problems(
            """
            \(credentials)
            router:
              providers:
                - { name: a, destination: one, dialect: openai }
                - { name: b, destination: other, dialect: anthropic }
                - { name: c, destination: elsewhere, dialect: gemini }
                - { name: d, dialect: builtin }
            """)
        #expect(found.map(\.key) == keys.map { "router.providers\($0).destination" })
        #expect(found.map(\.line) == keys.indices.map { 4 + $0 + (3 - keys.count) })
        guard keys.count == 2 else { return }
        #expect(found[0].found == "other" && found[0].expected.contains("one of: one, others"))
        #expect(found[0].suggestion == "others" && found[1].suggestion == nil)
    }

    @Test("a secret in the place of a destination's name is not shown among the known ones")
    func secretName() {
        let secret = "sk-proj-" + String(repeating: "Zq7", count: 14)
        let found = problems(
            """
            credentials: { destinations: { \(secret): {}, one: {} } }
            router: { providers: [{ name: a, destination: on, dialect: openai }] }
            """)
        #expect(found.contains { $0.key == "router.providers[0].destination" && $0.suggestion == "one" })
        #expect(found.allSatisfy { !$0.description.contains(secret) })
    }

    @Test("the builtin embedder has one model")
    func embedder() {
        func found(_ model: String) -> [ConfigProblem] {
            problems(
                """
                router:
                  providers: [{ name: p, dialect: builtin }]
                  models: [{ name: m, targets: [{ provider: p, model: \(model) }] }]
                """)
        }
        #expect(found("bge-small").map(\.key) == ["router.models[0].targets[0].model"])
        #expect(found("builtin") == [] && found("all-MiniLM-L6-v2") == [])
    }

    @Test(
        "serve: all is refused when patterns take all of its names",
        arguments: [("*", true), ("gemini-*", false), ("*i-*", true)])
    func served(pattern: String, refused: Bool) {
        let found = problems(
            """
            router:
              providers: [{ name: p, destination: p, dialect: gemini, serve: all }]
              models: [{ name: "\(pattern)", targets: [{ provider: p }] }]
            """)
        #expect(found.map(\.key) == (refused ? ["router.providers[0].serve"] : []))
        #expect(found.allSatisfy { $0.found.contains(pattern) })
    }

    @Test("a model of Gemini may be named with its collection, as Google's lists name it")
    func collection() throws {
        let text = """
            router:
              providers: [{ name: g, destination: g, dialect: gemini, serve: all }]
              models: [{ name: m, targets: [{ provider: g, model: models/gemini-2.5-pro }] }]
            """
        let table = RoutingTable(try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service)
        #expect(try table.route("m").targets.map(\.label) == ["g/gemini-2.5-pro"])
        #expect(try table.route("models/gemini-2.5-flash").targets.map(\.label) == ["g/gemini-2.5-flash"])
    }

    private static func text(_ lines: [String], cache: String) -> String {
        (["router:", "  providers:", "    - { name: a, destination: a, dialect: openai }"]
            + ["    - { name: b, destination: b, dialect: openai }", "  cache: { \(cache) }", "  models:", "    - name: m"]
            + lines.map { "      \($0)" }).joined(separator: "\n")
    }

    private func problems(_ text: String) -> [ConfigProblem] {
        do {
            _ = try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml")
            return []
        } catch let error as ConfigProblems {
            return error.problems
        } catch {
            Issue.record("unexpected error \(error)")
            return []
        }
    }
}
