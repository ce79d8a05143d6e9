import ArgumentParser
import BulkheadAdminCLI
import CredentialsService

/// What `set` and `rotate` take; a value on the command line is caught, so that it is refused without being repeated.
struct SecretArguments: ParsableArguments {
    @Argument(help: "The secret's name, such as OPENAI_API_KEY.") var name: String
    @Argument(help: .hidden) var surplus: [String] = []
    @Option(help: .hidden) var value: String?
    @Option(
        help: "The host it may be sent to, host[:port], several with commas. Inferred when one destination refers to the name.")
    var host: String?
    @Option(
        help: "openai, anthropic, gemini, azure, cohere, mistral, bearer, basic, header or query. Else as the destination says.")
    var preset: String?
    @Flag(help: "Read the value from standard input; one line break at its end is not part of it.") var stdin = false

    func validate() throws {
        guard surplus.isEmpty, value == nil else {
            throw ValidationError(
                "a secret on the command line can be seen by every process and stays in the shell's history: pipe it in with --stdin, "
                    + "or leave it out and type it. If it was a real one, replace it.")
        }
    }

    func command() throws -> SecretCommand {
        SecretCommand(
            name: name, host: host, preset: preset, value: try ValueInput.read(fromInput: stdin, prompt: "Value of \(name)"))
    }
}

struct SetSecret: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Store a secret, or replace one.",
        discussion:
            "Example:\n  bulkhead-credentials set OPENAI_API_KEY\n  pass openai | bulkhead-credentials set OPENAI_API_KEY --stdin"
    )
    @OptionGroup var shared: SharedOptions
    @OptionGroup var secret: SecretArguments
    @Flag(help: "The value is a decoy: whoever uses it is refused, and reported.") var honeytoken = false

    func run() async throws {
        var command = try secret.command()
        command.isHoneytoken = honeytoken
        try await change("secrets.set", command, shared)
    }
}

struct RotateSecret: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Replace the value of a stored secret; new calls use it at once.",
        discussion:
            "The new value is tried at its destinations first. The one before is kept for the overlap: to take echoes of it out of "
            + "answers, and for --undo.\nExample:\n  bulkhead-credentials rotate OPENAI_API_KEY --stdin < new-key")
    @OptionGroup var shared: SharedOptions
    @OptionGroup var secret: SecretArguments
    @Option(help: "How long the value so far is kept: 0s to 30d, such as 10m.") var overlap = "10m"
    @Flag(help: "Take the value though no destination can be asked about it now.") var unverified = false
    @Flag(help: "Bring the value before the last rotation back, within its overlap.") var undo = false

    func validate() throws {
        guard Self.milliseconds(overlap) != nil else {
            throw ValidationError("--overlap takes 0s to 30d, such as 10m; it is \"\(overlap)\"")
        }
        guard !undo || !secret.stdin && !unverified else { throw ValidationError("--undo takes no value") }
    }

    func run() async throws {
        // The new value is asked about at each destination in turn.
        if undo { return try await change("secrets.undo", NamedCommand(name: secret.name), shared) }
        var command = try secret.command()
        command.overlap = Self.milliseconds(overlap)
        command.isUnverified = unverified
        try await change("secrets.rotate", command, shared, within: .seconds(60))
    }

    private static func milliseconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), (0 ... 30 * 86400).contains(count)
        else { return nil }
        return count * unit <= 30 * 86400 ? count * unit * 1000 : nil
    }
}

struct RevokeSecret: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Destroy the value of a secret; its name stays, and calls are refused.",
        discussion: "Example:\n  bulkhead-credentials revoke STRIPE_KEY --now --yes")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The secret's name.") var name: String
    @Flag(help: "Also end the calls and streams under way that use it.") var now = false
    @Flag(help: "Do not ask, on a terminal.") var yes = false

    func run() async throws {
        try Confirmation.ask("Revoke \(name)? Its value is destroyed.", yes: yes)
        try await change("secrets.revoke", NamedCommand(name: name, now: now), shared)
    }
}

struct DeleteSecret: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete", abstract: "Remove a secret from the store.",
        discussion: "Example:\n  bulkhead-credentials delete STRIPE_KEY --yes")
    @OptionGroup var shared: SharedOptions
    @Argument(help: "The secret's name.") var name: String
    @Flag(help: "Do not ask, on a terminal.") var yes = false

    func run() async throws {
        try Confirmation.ask("Delete \(name)? Its value is destroyed.", yes: yes)
        try await change("secrets.delete", NamedCommand(name: name), shared)
    }
}

struct ListSecrets: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the stored secrets: names, hosts, states, never values.",
        discussion: "Example:\n  bulkhead-credentials list --json")
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(.credentials, shared).invoke("secrets.list", Nothing(), as: [SecretRow].self)
        try show(rows, shared) { rows in
            table(
                [["NAME", "STATE", "VERSION", "STORE", "HOST", "PRESET", "CREATED", "ROTATED", "DESTINATIONS"]]
                    + rows.map { row in
                        [
                            row.name, row.state, "\(row.version)", row.isStale ? "\(row.store) (stale)" : row.store, row.host,
                            row.preset, WallTime.text(row.created),
                            row.rotated.map(WallTime.text) ?? "-",
                            row.destinations.isEmpty ? "-" : row.destinations.joined(separator: ", "),
                        ]
                    })
        }
    }
}

func change(
    _ verb: String, _ arguments: some Encodable & Sendable, _ shared: SharedOptions, within limit: Duration = .seconds(10)
) async throws {
    let made = try await AdminConnection(.credentials, shared).invoke(verb, arguments, as: SecretChange.self, within: limit)
    try show(made, shared) { made in
        var text = "\(made.name): \(made.outcome)"
        if let version = made.version { text += ", version \(version)" }
        if let cut = made.cut { text += ", \(cut) calls under way were ended" }
        if let host = made.host, let preset = made.preset {
            text += ", goes to \(host)\(made.isInferred ? " (as the destination says)" : "") only, injected as \(preset)"
        }
        if made.outcome == "resealed", made.widens?.isEmpty == true { text += "; nothing is widened" }
        let widened = (made.widens ?? []).map { "widened: \($0.text)" }
        return ([text] + widened + made.warnings.map { "warning: \($0)" }).joined(separator: "\n")
    }
}
