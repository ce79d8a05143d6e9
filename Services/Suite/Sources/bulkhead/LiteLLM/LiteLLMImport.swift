import BulkheadConfig

/// Turns a configuration of LiteLLM's proxy into one of Bulkhead's. What it cannot translate becomes a note.
struct LiteLLMImport {
    private let file: ImportSection
    private let router: ImportSection
    private let library: ImportSection
    private let notes: ImportNotes
    private let deployments: [Deployment]

    /// Reads the whole file.
    init(_ root: ForeignYAML, _ notes: ImportNotes) {
        self.notes = notes
        file = ImportSection(root, path: "file", notes)
        router = ImportSection(file.value("router_settings"), path: "router_settings", notes)
        library = ImportSection(file.value("litellm_settings"), path: "litellm_settings", notes)
        let reader = DeploymentReader(notes: notes)
        if let list = file.value("model_list"), list.items == nil { notes.add(list.line, "model_list is no list; left out") }
        deployments = (file.value("model_list")?.items ?? []).enumerated().compactMap { reader.read($1, $0) }
    }

    /// The entries that can be had here, as a setup.
    func setup() -> ImportedSetup {
        var setup = ImportedSetup()
        setup.providers = providers()
        let places = Dictionary(uniqueKeysWithValues: setup.providers.enumerated().map { ($1.original, $0) })
        let settings = RouteSettings(router, library)
        var groups: [String] = []
        for deployment in deployments where !groups.contains(deployment.name) { groups.append(deployment.name) }
        let builder = RouteBuilder(deployments: deployments, places: places, settings: settings, notes: notes)
        let own = groups.map { builder.route($0) }
        let reserves = FallbackReader(router, library, notes, known: Set(groups))
        setup.routes = own.map {
            builder.extended($0, by: reserves.fallbacks(of: $0.name).compactMap { name in own.first { $0.name == name } })
        }
        setup.routes += aliases(setup.routes, notes)
        setup.facts = facts()
        setup.cacheSeconds = cacheSeconds()
        finish()
        return setup
    }

    // MARK: providers

    /// One for each address, dialect and key. A secret is sealed to one host, so that a name that is used with a second host
    /// gets a number there.
    private func providers() -> [ImportedSetup.Provider] {
        var found: [ImportedSetup.Provider] = []
        var hosts: [String: String] = [:]
        for deployment in deployments where !found.contains(where: { $0.original == deployment.endpoint }) {
            var endpoint = deployment.endpoint
            if let secret = endpoint.secret {
                let place = AbsoluteURL(endpoint.base).map { "\($0.host):\($0.effectivePort ?? 0)" } ?? ""
                let name = Self.free(secret) { hosts[$0].map { $0 != place } ?? false }
                hosts[name] = place
                if name != secret {
                    notes.add(
                        deployment.line,
                        "\(secret) is used with several hosts, and a secret is sealed to one: store it as \(name) too")
                }
                endpoint.secret = name
            }
            let name = Self.free(
                deployment.prefix.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? String($0) : "-" }.joined()
            ) {
                name in name == "builtin" || found.contains { $0.name == name }
            }
            found.append(.init(name: name, endpoint: endpoint, original: deployment.endpoint))
        }
        return found
    }

    private static func free(_ name: String, _ isTaken: (String) -> Bool) -> String {
        let separator = name.contains("_") || name == name.uppercased() ? "_" : "-"
        let base = String(name.prefix(48))
        var candidate = base
        var number = 2
        while isTaken(candidate) {
            candidate = "\(base)\(separator)\(number)"
            number += 1
        }
        return candidate
    }

    // MARK: names

    /// `model_group_alias`: another name for the same targets.
    private func aliases(_ routes: [ImportedRoute], _ notes: ImportNotes) -> [ImportedRoute] {
        let listed = [
            router.value("model_group_alias"), library.value("model_group_alias_map"), library.value("model_alias_map"),
        ]
        var names = Set(routes.map(\.name))
        return listed.compactMap { $0?.entries }.flatMap { $0 }.compactMap { alias, line, value in
            let meant = value.text ?? value["model"]?.text ?? ""
            guard var route = routes.first(where: { $0.name == meant }), names.insert(alias).inserted,
                (1 ... 128).contains(alias.utf8.count),
                !alias.unicodeScalars.contains(where: { $0.value < 0x21 || $0.value == 0x7f }),
                !alias.contains("*"), !ForeignYAML.looksSecret(alias)
            else {
                notes.add(line, "the alias \(ImportNotes.shown(alias)) leads to no imported model, or is one itself; left out")
                return nil
            }
            route.name = alias
            return route
        }
    }

    private func facts() -> [(model: String, facts: ImportedFacts)] {
        var seen: Set<String> = []
        return deployments.filter { !$0.info.isEmpty && !$0.model.isEmpty }.compactMap { deployment in
            guard seen.insert(Self.bare(deployment.model)).inserted else { return nil }
            return (deployment.model, deployment.info)
        }
    }

    /// As the router tells models apart when it looks for facts: without the packaging of clouds.
    private static func bare(_ model: String) -> String {
        var name = model.split(separator: "/").last.map(String.init) ?? model
        for prefix in ["us.", "eu.", "apac.", "global.", "jp.", "au.", "ca."] where name.hasPrefix(prefix) {
            name.removeFirst(prefix.count)
        }
        for vendor in ["anthropic.", "amazon."] where name.hasPrefix(vendor) { name.removeFirst(vendor.count) }
        return name.replacing("@", with: "-").split(separator: ":").first.map(String.init) ?? name
    }

    private func cacheSeconds() -> Double? {
        let parameters = library.section("cache_params")
        let kind = parameters.text("type")
        let seconds = parameters.number("ttl")
        defer { parameters.finish(["similarity_threshold": "there is no semantic cache in this version"]) }
        if let kind, kind != "local" {
            notes.add(
                parameters.line("type"),
                kind.contains("semantic")
                    ? "a semantic cache: not in this version; equal requests are answered from the exact cache"
                    : "the cache is kept in memory; suite.stores.fast: redis shares it")
        }
        guard library.flag("cache") == true else { return nil }
        return min(max(seconds ?? 3600, 1), 31_536_000)
    }

    private func finish() {
        router.finish([
            "allowed_fails": "the breaker of each target decides: router.breaker", "cooldown_time": "router.breaker.open_for",
            "redis_host": "suite.stores.redis", "redis_password": "suite.stores.redis.password_file",
            "enable_pre_call_checks": "always on: context, tools and images are looked at",
            "retry_after": "Retry-After is honoured",
        ])
        library.finish([
            "drop_params": "not needed: what a provider does not take is translated, left out or sent elsewhere",
            "content_policy_fallbacks": "a text a provider refuses is not offered to others",
            "callbacks": "telemetry counts and traces every request",
            "success_callback": "telemetry counts and traces every request",
            "failure_callback": "telemetry counts and traces every request",
        ])
        let general = ImportSection(file.value("general_settings"), path: "general_settings", notes)
        general.finish([
            "master_key": "not copied: keys are made with bulkhead-session keys create --admin",
            "database_url": "suite.stores", "alerting": "telemetry.alerts",
        ])
        if let variables = file.value("environment_variables") {
            notes.add(variables.line, "environment_variables: not copied; secrets are stored with bulkhead-credentials set NAME")
        }
        file.finish()
    }
}
