import BulkheadConfig
import RouterService
import Testing

struct RouterConfigurationTests {
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

    static let complete = """
        router:
          providers:
            - { name: openai, destination: openai, dialect: openai, serve: all }
            - { name: anthropic, destination: anthropic, dialect: anthropic }
            - { name: builtin, dialect: builtin }
          models:
            - name: assistant
              strategy: ordered
              targets:
                - { provider: openai, model: gpt-5-mini, weight: 3 }
                - { provider: anthropic, model: claude-sonnet-5 }
              timeouts: { connect: 3s, first_token: 60s, between_tokens: 60s, total: 600s }
              retry: { tries_per_target: 2, max_tries: 4, base: 250ms, max: 10s }
              on_stream_break: replay
              default_max_tokens: 4096
              fallbacks: [target, stale_cache, answer]
              fallback_answer: "Please try again in a moment."
          breaker: { failures: 5, failure_ratio: 0.5, min_requests: 20, window: 10s, open_for: 30s, half_open_successes: 2 }
          cache:
            exact: { when: always, ttl: 1h, max_entries: 100000 }
            semantic: { enabled: false, candidate_similarity: 0.90, min_confidence: 0.95, ttl: 2h }
        """

    @Test("every documented key is read")
    func everyKey() throws {
        let router = try loadConfiguration(RouterConfiguration.self, text: Self.complete, file: "t.yaml").service
        #expect(router.providers.map(\.name) == ["openai", "anthropic", "builtin"])
        let model = try #require(router.models.first)
        #expect(model.targets.map(\.model) == ["gpt-5-mini", "claude-sonnet-5"])
        #expect(model.targets[0].weight == 3)
        #expect(model.timeouts.firstToken == .seconds(60))
        #expect(model.retry.base == .milliseconds(250))
        #expect(model.onStreamBreak == .replay)
        #expect(model.fallbacks == [.target, .staleCache, .answer])
        #expect(router.breaker.openFor == .seconds(30))
        #expect(router.cache.exact.when == .always)
    }

    @Test("an empty section is a router without models")
    func empty() throws {
        let router = try loadConfiguration(RouterConfiguration.self, text: "router: {}", file: "t.yaml").service
        #expect(router.providers.isEmpty && router.models.isEmpty)
    }

    @Test("all mistakes of a file are told at once, with what was found and what is allowed")
    func manyMistakes() {
        let found = problems(
            """
            router:
              providers:
                - { name: demo, destination: demo, dialect: opnai }
              models:
                - name: assistant
                  stratgy: ordered
                  targets:
                    - { provider: nowhere, model: m }
                  timeouts: { connect: 3parsecs }
                  retry: { tries_per_target: many }
                  on_stream_break: explode
              breaker: { failure_ratio: 7.5 }
              cache:
                exact: { when: always }
                exact: { when: "off" }
            """)
        #expect(Set(found.map(\.line)).isSuperset(of: [3, 6, 8, 9, 10, 11, 12]))
        #expect(found.contains { $0.line == 14 || $0.line == 15 })
        #expect(found.first { $0.line == 3 }?.suggestion == "openai")
        #expect(found.first { $0.line == 6 }?.suggestion == "strategy")
        #expect(found.first { $0.line == 8 }?.description.contains("demo") == true)
        #expect(found.first { $0.line == 11 }?.expected.contains("continue") == true)
    }

    @Test(
        "a contradiction is a problem",
        arguments: [
            "providers: [{ name: a, destination: a, dialect: openai }, { name: a, destination: b, dialect: openai }]",
            "providers: [{ name: a, dialect: openai }]",
            "providers: [{ name: a, destination: x, dialect: builtin }]",
            "providers: [{ name: \"a b\", destination: x, dialect: openai }]",
            "models: [{ name: m, targets: [] }]",
            "providers: [{ name: a, destination: a, dialect: openai }]\n  models: [{ name: m, targets: [{ provider: a }] }]",
            "providers: [{ name: a, destination: a, dialect: openai }]\n  models: [{ name: m, targets: [{ provider: a, model: x }], fallbacks: [answer] }]",
            "providers: [{ name: a, destination: a, dialect: openai }]\n  models: [{ name: m, targets: [{ provider: a, model: x }], fallbacks: [nothing] }]",
        ])
    func contradictions(section: String) {
        #expect(problems("router:\n  \(section)").count == 1)
    }

    @Test("a fallback answer is used without being listed, and a pattern needs no model")
    func defaults() throws {
        let text = """
            router:
              providers: [{ name: a, destination: a, dialect: openai }]
              models: [{ name: "gpt-*", targets: [{ provider: a }], fallback_answer: later }]
            """
        let router = try loadConfiguration(RouterConfiguration.self, text: text, file: "t.yaml").service
        #expect(router.models[0].fallbacks == [.target, .answer])
        #expect(try RoutingTable(router).route("gpt-9").targets[0].model == "gpt-9")
    }
}
