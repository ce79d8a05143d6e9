import BulkheadConfig
import Glibc

/// Reads entries of `model_list`.
struct DeploymentReader {
    let notes: ImportNotes

    private static let environment = "os.environ/"

    /// nil when it cannot be had here; a note says why.
    func read(_ node: ForeignYAML, _ index: Int) -> Deployment? {
        let entry = ImportSection(node, path: "model_list[\(index)]", notes)
        let parameters = entry.section("litellm_params")
        let info = entry.section("model_info")
        defer {
            entry.finish()
            parameters.finish(Self.hints)
            info.finish(["base_model": "say what the model can and costs under router.model_info, if it is not written here"])
        }
        guard let name = name(entry, node.line), let model = parameters.text("model") else {
            notes.add(node.line, "model_list[\(index)]: model_name or litellm_params.model is missing; the entry was left out")
            return nil
        }
        let mode = info.text("mode")
        guard mode == nil || ["chat", "completion", "responses", "embedding"].contains(mode) else {
            notes.add(
                info.line("mode"), "model_list[\(index)] (\(ImportNotes.shown(name))): this kind of model is not routed; left out"
            )
            return nil
        }
        guard let (endpoint, prefix, rest) = provider(parameters, model, index),
            let target = target(name, rest, parameters.line("model"))
        else { return nil }
        for key in ["rpm", "tpm"] where parameters.value(key) != nil { notes.add(parameters.line(key), "\(key): \(Self.limits)") }
        return Deployment(
            line: node.line, name: name, endpoint: endpoint, prefix: prefix, model: target, weight: parameters.number("weight"),
            rate: parameters.number("rpm") ?? parameters.number("tpm"), order: parameters.number("order"),
            timeout: parameters.number("timeout"), streamTimeout: parameters.number("stream_timeout"),
            maxTokens: parameters.number("max_tokens").map { Int($0) }, info: facts(info, parameters))
    }

    /// Clients cannot send a name with spaces or control characters here, and none of more than 128 bytes.
    private func name(_ entry: ImportSection, _ line: Int) -> String? {
        guard let name = entry.text("model_name") else { return nil }
        let isUsable =
            (1 ... 128).contains(name.utf8.count) && !name.unicodeScalars.contains { $0.value < 0x21 || $0.value == 0x7f }
            && !ForeignYAML.looksSecret(name)
        if isUsable { return name }
        notes.add(line, "\(entry.path).model_name: not a name clients can send here (1 to 128 bytes, no spaces)")
        return nil
    }

    /// A model with `*` passes on what the client sends; that is the same only when the name's pattern is the model's.
    private func target(_ name: String, _ model: String, _ line: Int) -> String? {
        guard !ForeignYAML.looksSecret(model), model.utf8.count <= 512 else {
            notes.add(line, "litellm_params.model looks like a secret or is too long; the entry was left out")
            return nil
        }
        guard model.contains("*") else { return model }
        if name.contains("*"), name == model || model == "*" && !name.contains("/") { return "" }
        notes.add(
            line,
            "\(ImportNotes.shown(name)): names are passed on as they are, and this pattern would rewrite them; left out. "
                + "serve: all at the provider makes its own names work")
        return nil
    }
}

// MARK: the provider

extension DeploymentReader {
    private func provider(
        _ parameters: ImportSection, _ text: String, _ index: Int
    ) -> (ProviderEndpoint, prefix: String, model: String)? {
        let line = parameters.line("model")
        let explicit = parameters.text("custom_llm_provider")
        let base = parameters.text("api_base") ?? parameters.text("base_url")
        var prefix = explicit ?? String(text.prefix { $0 != "/" })
        var model = explicit == nil ? String(text.dropFirst(prefix.count + 1)) : text
        if explicit == nil, !text.contains("/") {
            guard let guessed = ProviderVendor.guessed(text) else {
                notes.add(line, "model_list[\(index)]: \(ImportNotes.shown(text)) names no provider; left out")
                return nil
            }
            (prefix, model) = (guessed, text)
        }
        guard var vendor = vendor(prefix, hasBase: base != nil, line) else { return nil }
        if vendor.dialect == "openai", model.hasPrefix("responses/") {
            vendor.dialect = "openai-responses"
            model.removeFirst("responses/".count)
        }
        if prefix == "bedrock" {
            vendor.base = "https://bedrock-runtime.\(region(parameters)).amazonaws.com"
            for route in ["converse/", "invoke/"] where model.hasPrefix(route) { model.removeFirst(route.count) }
        }
        guard vendor.dialect != "bedrock" && vendor.dialect != "gemini" || Self.isPathSegment(model) else {
            notes.add(
                line, "model_list[\(index)]: the provider takes the model in a path, where this name has no place; left out")
            return nil
        }
        guard let address = address(base, vendor, prefix, parameters, index) else { return nil }
        var endpoint = ProviderEndpoint(dialect: vendor.dialect, base: address, secret: nil, preset: vendor.preset)
        endpoint.secret = secret(parameters, vendor, endpoint)
        return (endpoint, prefix, model)
    }

    /// Whether the router can ask for the model: as it writes names into paths.
    private static func isPathSegment(_ model: String) -> Bool {
        let name = model.hasPrefix("models/") ? model.dropFirst("models/".count) : model[...]
        return name.utf8.count <= 512 && !name.allSatisfy { $0 == "." }
            && name.utf8.allSatisfy { $0 >= 32 && $0 != 127 && !"/\\#?%".utf8.contains($0) }
    }

    private func vendor(_ prefix: String, hasBase: Bool, _ line: Int) -> ProviderVendor? {
        if let known = ProviderVendor.named(prefix) { return known }
        guard hasBase else {
            notes.add(line, "the provider \(ImportNotes.shown(prefix)) cannot be reached from here; the entry was left out")
            return nil
        }
        notes.add(line, "the provider \(ImportNotes.shown(prefix)) is taken to be OpenAI-compatible")
        return ProviderVendor(dialect: "openai", base: nil, secret: nil)
    }

    private func region(_ parameters: ImportSection) -> String {
        let line = parameters.line("aws_region_name")
        if let region = parameters.text("aws_region_name").flatMap({ resolved($0) }),
            region.utf8.allSatisfy({ (97 ... 122).contains($0) || (48 ... 57).contains($0) || $0 == UInt8(ascii: "-") })
        {
            return region
        }
        notes.add(line, "the region of Bedrock is not known here: us-east-1 was written")
        return "us-east-1"
    }

    private func address(
        _ written: String?, _ vendor: ProviderVendor, _ prefix: String, _ parameters: ImportSection, _ index: Int
    ) -> String? {
        let line = parameters.line(parameters.value("api_base") == nil ? "base_url" : "api_base")
        guard let text = written.flatMap({ resolved($0) }) ?? vendor.base else {
            let why =
                written == nil
                ? "\(ImportNotes.shown(prefix)) needs api_base"
                : "api_base comes from an environment variable that is not set here: set it and import again"
            notes.add(line, "model_list[\(index)]: \(why); the entry was left out")
            return nil
        }
        guard let base = ProviderEndpoint.base(text, dialect: vendor.dialect, isAzure: vendor.preset == "azure") else {
            notes.add(line, "model_list[\(index)]: api_base is no http or https address; the entry was left out")
            return nil
        }
        if base.isCut { notes.add(line, "the user, password or query of an api_base was left out: keys are stored, not written") }
        if vendor.preset == "azure" {
            notes.add(line, "Azure is asked at its v1 interface, where the deployment is the model; api_version is not sent")
        }
        return base.text
    }

    /// The value, or that of the environment variable it names; nil when that is not set.
    private func resolved(_ text: String) -> String? {
        guard text.hasPrefix(Self.environment) else { return text }
        return getenv(String(text.dropFirst(Self.environment.count))).map { String(cString: $0) }
    }
}

// MARK: keys

extension DeploymentReader {
    /// The name of the secret. A key in the file is never looked at further, let alone copied.
    private func secret(_ parameters: ImportSection, _ vendor: ProviderVendor, _ endpoint: ProviderEndpoint) -> String? {
        let line = parameters.line("api_key")
        guard let key = parameters.text("api_key") else { return vendor.secret }
        if key.hasPrefix(Self.environment) {
            let name = String(key.dropFirst(Self.environment.count))
            if ForeignYAML.isSecretName(name), !ForeignYAML.looksSecret(name, key: "secret") { return name }
            let made = Self.secretName(name)
            notes.add(line, "the key's variable cannot be the name of a secret: it is called \(made) here")
            return made
        }
        guard let name = vendor.secret else {
            notes.add(
                line,
                "a key stands in the file; it was not copied. If the server at \(endpoint.base) wants one: secret: NAME at the "
                    + "destination, and bulkhead-credentials set NAME")
            return nil
        }
        notes.add(
            line,
            "a key stands in the file; it was not copied. Make a new one at the provider, as this one was written down, and store "
                + "it with: bulkhead-credentials set \(name)")
        return name
    }

    private static func secretName(_ text: String) -> String {
        if ForeignYAML.looksSecret(text) { return "IMPORTED_KEY" }
        let letters = text.uppercased().utf8.map { byte -> Character in
            (65 ... 90).contains(byte) || (48 ... 57).contains(byte) ? Character(Unicode.Scalar(byte)) : "_"
        }
        let name = "KEY_" + String(letters.prefix(60))
        return ForeignYAML.isSecretName(name) && !ForeignYAML.looksSecret(name, key: "secret") ? name : "IMPORTED_KEY"
    }

    private func facts(_ info: ImportSection, _ parameters: ImportSection) -> ImportedFacts {
        func price(_ key: String) -> Double? { (info.number(key) ?? parameters.number(key)).map { $0 * 1_000_000 } }
        func tokens(_ key: String) -> Int? { info.number(key).flatMap { $0 >= 1 && $0 <= 1e9 ? Int($0) : nil } }
        let output = tokens("max_output_tokens") ?? tokens("max_tokens")
        var facts = ImportedFacts(
            context: tokens("max_input_tokens"), maxOutput: output, tools: info.flag("supports_function_calling"),
            images: info.flag("supports_vision"), prefill: info.flag("supports_assistant_prefill"),
            input: price("input_cost_per_token"), output: price("output_cost_per_token"),
            cachedInput: price("cache_read_input_token_cost"), cacheWrite: price("cache_creation_input_token_cost"))
        if let context = facts.context, let most = facts.maxOutput, most > context { facts.maxOutput = nil }
        return facts
    }

    private static let limits = "limits are those of keys, users and tenants here (bulkhead-session keys create --rpm --tpm)"

    private static let hints: [String: String] = [
        "max_parallel_requests": limits, "max_budget": "budgets are those of keys, users and tenants here",
        "api_version": "not sent: providers are asked at their current interface",
        "aws_access_key_id": "left out: Bedrock is asked with an API key, AWS_BEARER_TOKEN_BEDROCK",
        "aws_secret_access_key": "left out: Bedrock is asked with an API key, AWS_BEARER_TOKEN_BEDROCK",
        "drop_params": "not needed: what a provider does not take is translated, left out or sent elsewhere",
        "temperature": "left out: clients say it", "top_p": "left out: clients say it",
        "extra_headers": "left out: they may hold keys; a destination injects one secret",
        "max_retries": "left out: litellm_settings.num_retries is taken",
    ]
}
