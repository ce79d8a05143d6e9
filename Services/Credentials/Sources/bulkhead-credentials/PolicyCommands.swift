import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import CredentialsService

struct ResealSecret: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reseal",
        abstract: "Let a stored secret follow the destinations that refer to it now, or go to another host.",
        discussion: "Shows what the secret may do afterwards that it may not do now, and asks on a terminal.\n"
            + "Example:\n  bulkhead-credentials reseal OPENAI_API_KEY --dry-run")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The secret's name.") var name: String
    @Option(help: "The host it may be sent to, host[:port], several with commas. Else as the destinations say.") var host: String?
    @Option(help: "How it is injected. Else as the destinations say.") var preset: String?
    @Flag(help: "Only show what would be widened.") var dryRun = false
    @Flag(help: "Do not ask, on a terminal.") var yes = false

    func run() async throws {
        let command = SecretCommand(name: name, host: host, preset: preset)
        let plan = try await AdminConnection(.credentials, shared).invoke("secrets.reseal.plan", command, as: ResealPlan.self)
        if dryRun { return try show(plan, shared) { $0.text } }
        if !shared.json, !plan.widens.isEmpty {
            complain(plan.text)
            try Confirmation.ask("Reseal \(name)?", yes: yes)
        }
        try await change("secrets.reseal", command, shared)
    }
}

extension ResealPlan {
    fileprivate var text: String {
        guard !widens.isEmpty else { return "\(name): goes to \(hosts); nothing would be widened" }
        return "\(name) would go to \(hosts), and be widened:\n" + widens.map { "  \($0.text)" }.joined(separator: "\n")
    }
}

struct ExplainDestination: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say for each service whether it could call a destination, and why not. Calls nothing.",
        discussion: "Example:\n  bulkhead-credentials explain stripe GET /v1/balance")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "A destination.") var destination: String
    @Argument(help: "An HTTP method.") var method: String?
    @Argument(help: "A path, without the destination's own.") var path: String?

    func validate() throws {
        guard method == nil || path != nil else { throw ValidationError("give a method and a path, or neither") }
    }

    func run() async throws {
        let rows = try await AdminConnection(.credentials, shared).invoke(
            "explain", ExplainCommand(destination: destination, method: method, path: path), as: [ExplainRow].self)
        try show(rows, shared) { rows in
            table([["CALLER", "ALLOWED", "WHY"]] + rows.map { [$0.caller, $0.isAllowed ? "yes" : "no", $0.why] })
        }
    }
}

extension CredentialsDaemon {
    /// What the running process knows of the secrets that a file refers to: not stored, revoked, sealed for less. Only it can
    /// open the store, so that a process that does not run says nothing.
    package static func furtherProblems(_ options: SharedOptions) async -> [ConfigProblem] {
        let path = options.configurationPath
        guard let loaded = try? loadConfiguration(CredentialsConfiguration.self, path: path),
            let connection = AdminConnection.ifRunning(.credentials, runDir: loaded.suite.runDir)
        else { return [] }
        let references = ProviderReferences.read(path)
        let asks =
            loaded.service.destinations.compactMap { PolicyAsk($0, references) }
            + [PolicyAsk(loaded.service.egress)].compactMap { $0 }
        do {
            let findings = try await connection.request("policy.check", asks, as: [PolicyFinding].self, within: .seconds(5))
            return findings.map { $0.problem(loaded) }
        } catch {
            complain("bulkhead-credentials: the running process cannot compare the file with the stored secrets: \(error)")
            return []
        }
    }
}

extension PolicyFinding {
    fileprivate func problem(_ loaded: LoadedConfiguration<CredentialsConfiguration>) -> ConfigProblem {
        let isProxy = destination.isEmpty
        let entry = isProxy ? "credentials.egress" : "credentials.destinations.\(destination)"
        let key = isProxy ? "proxy_secret" : key
        let places = [entry + "." + key, entry + ".secret"].compactMap { wanted -> Int? in
            for value in loaded.effective where value.key == wanted {
                if case .file(let line) = value.source { return line }
            }
            return nil
        }
        return ConfigProblem(
            file: loaded.path, line: places.first ?? 1, column: 1, key: entry + "." + key, found: found, expected: expected)
    }
}
