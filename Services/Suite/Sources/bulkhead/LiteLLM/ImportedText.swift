import BulkheadConfig

/// Writes a setup as a configuration file.
struct ImportedText {
    let setup: ImportedSetup
    let notes: [String]
    /// The imported file, as it was named.
    let source: String

    /// The file that `bulkhead init` writes otherwise, with the imported router and credentials in it.
    var text: String {
        var sections = Self.sections(ConfigTemplate.development)
        sections["router"] = router
        sections["credentials"] = credentials
        let order = ["suite", "edge", "router", "session", "credentials", "telemetry"]
        return ([header] + order.compactMap { sections[$0] }).joined(separator: "\n")
    }

    private static func sections(_ template: String) -> [String: String] {
        var sections: [String: String] = [:]
        var name = ""
        for line in template.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasSuffix(":"), line.first?.isLetter == true { name = String(line.dropLast()) }
            if !name.isEmpty { sections[name, default: ""] += line + "\n" }
        }
        return sections.mapValues { $0.trimmingNewlines + "\n" }
    }

    private var header: String {
        let first = [
            "# Bulkhead, imported from \(Self.comment(source.split(separator: "/").last.map(String.init) ?? source)).",
            "# `bulkhead-<service> check` lists every problem with its line.",
        ]
        let last =
            notes.isEmpty
            ? ["# Everything was translated."]
            : ["#", "# Not translated, or not exactly (lines are those of the imported file):"]
                + notes.map { "# - \(Self.comment($0))" }
        return (first + last).joined(separator: "\n") + "\n"
    }

    private var router: String {
        var lines = ["router:", "  providers:"]
        lines += setup.providers.map { provider in
            "    - { name: \(q(provider.name)), destination: \(q(provider.name)), dialect: \(provider.endpoint.dialect), serve: listed }"
        }
        lines.append(
            "    - { name: builtin, dialect: builtin }     # all-MiniLM-L6-v2 of the retrieval service, for /v1/embeddings")
        lines.append("  models:")
        lines += setup.routes.flatMap(model)
        if !setup.facts.isEmpty { lines += ["  model_info:"] + setup.facts.map { "    - \(info($0.model, $0.facts))" } }
        let exact = setup.cacheSeconds.map { "{ when: always, ttl: \(Self.duration($0)) }" } ?? "{ when: \"off\" }"
        lines += ["  cache:", "    exact: \(exact)"]
        return lines.joined(separator: "\n") + "\n"
    }

    private func model(_ route: ImportedRoute) -> [String] {
        var lines = ["    - name: \(q(route.name))"]
        if let strategy = route.strategy { lines.append("      strategy: \(strategy)") }
        lines.append("      targets:")
        lines += route.targets.map { target in
            let model = target.model.isEmpty ? "" : ", model: \(q(target.model))"
            let weight = route.strategy == "weighted" ? ", weight: \(target.weight)" : ""
            return "        - { provider: \(q(setup.providers[target.provider].name))\(model)\(weight) }"
        }
        var limits: [String] = []
        let total = route.total.map { min(max($0, 0.001), 86_400) }
        if let first = route.firstToken.map({ max($0, 0.001) }), first < total ?? 600 {
            limits.append("first_token: \(Self.duration(first))")
        }
        if let total { limits.append("total: \(Self.duration(total))") }
        if !limits.isEmpty { lines.append("      timeouts: { \(limits.joined(separator: ", ")) }") }
        if let retries = route.retries {
            let most = min(100, max(route.targets.count + retries, retries + 1))
            lines.append("      retry: { tries_per_target: \(retries + 1), max_tries: \(most) }")
        }
        if let most = route.maxTokens, (1 ... 10_000_000).contains(most) { lines.append("      default_max_tokens: \(most)") }
        return lines
    }

    private func info(_ model: String, _ facts: ImportedFacts) -> String {
        var parts = ["model: \(q(model))"]
        if let context = facts.context { parts.append("context: \(context)") }
        if let most = facts.maxOutput { parts.append("max_output: \(most)") }
        for (key, value) in [("tools", facts.tools), ("images", facts.images), ("prefill", facts.prefill)] {
            if let value { parts.append("\(key): \(value)") }
        }
        if let input = facts.input, let output = facts.output {
            var price = ["input: \(number(input))", "output: \(number(output))"]
            if let cached = facts.cachedInput { price.append("cached_input: \(number(cached))") }
            if let write = facts.cacheWrite { price.append("cache_write: \(number(write))") }
            parts.append("price: { \(price.joined(separator: ", ")) }")
        }
        return "{ \(parts.joined(separator: ", ")) }"
    }

    private var credentials: String {
        var lines = ["credentials:", "  store: vault", "  destinations:"]
        if !setup.secrets.isEmpty { lines.append("    # Secrets are stored, never written here: bulkhead-credentials set NAME") }
        for provider in setup.providers {
            let endpoint = provider.endpoint
            var parts = ["base_url: \(q(endpoint.base))"]
            if endpoint.isPrivate || endpoint.isPlain { parts.append("private_network: true") }
            if let secret = endpoint.secret {
                if endpoint.isPlain { parts.append("allow_plain_http: true") }
                parts += ["secret: \(secret)", "preset: \(endpoint.preset)"]
            }
            lines.append("    \(provider.name): { \(parts.joined(separator: ", ")) }")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: scalars

    /// A double-quoted scalar.
    private func q(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            case _ where scalar.properties.generalCategory == .control: "?"
            default: String(scalar)
            }
        }
        return "\"\(escaped.joined())\""
    }

    /// US dollars per million tokens, without exponent.
    private func number(_ dollars: Double) -> String {
        let millionths = Int((min(dollars, 1_000_000) * 1_000_000).rounded())
        let rest = String(millionths % 1_000_000)
        let digits = String(repeating: "0", count: 6 - rest.count) + rest
        return "\(millionths / 1_000_000).\(digits)"
    }

    private static func duration(_ seconds: Double) -> String {
        seconds == seconds.rounded() ? "\(Int(seconds))s" : "\(max(1, Int((seconds * 1000).rounded())))ms"
    }

    private static func comment(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }
}

extension String {
    fileprivate var trimmingNewlines: String {
        var text = self[...]
        while text.last?.isNewline == true { text.removeLast() }
        return String(text)
    }
}
