import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import BulkheadServiceKit
import Glibc

/// `bulkhead init`.
struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a commented configuration file to start from.",
        discussion: """
            Examples:
              bulkhead init --config bulkhead.yaml
              bulkhead init --from-litellm config.yaml --config bulkhead.yaml
            """)
    @Option(help: "The file to write; never over another.") var config = "bulkhead.yaml"
    @Option(help: "A configuration file of LiteLLM's proxy, whose models are taken over. Keys in it are never copied.")
    var fromLitellm: String?

    func run() async throws {
        guard let source = fromLitellm else {
            try Self.write(ConfigTemplate.development, to: config)
            print("wrote \(config); next: bulkhead up --demo --config \(config) (without --demo once a provider's key is stored)")
            return
        }
        try importModels(of: source)
    }

    private func importModels(of source: String) throws {
        let root: ForeignYAML
        do {
            root = try ForeignYAML.load(path: source)
        } catch let problems as ConfigProblems {
            complain("bulkhead: \(problems)")
            throw ExitCodes.failed
        }
        let notes = ImportNotes()
        let setup = LiteLLMImport(root, notes).setup()
        guard !setup.routes.isEmpty else {
            for line in notes.lines { complain("bulkhead: \(source): \(line)") }
            complain("bulkhead: \(source) has no model that can be imported (model_list); nothing was written")
            throw ExitCodes.failed
        }
        let text = ImportedText(setup: setup, notes: notes.lines, source: source).text
        try Self.refuseSecrets(text)
        try Self.write(text, to: config)
        tell(setup, notes)
    }

    private func tell(_ setup: ImportedSetup, _ notes: ImportNotes) {
        print("wrote \(config): \(setup.routes.count) models at \(setup.providers.count) providers")
        if !setup.secrets.isEmpty {
            print("next, store the keys:")
            for secret in setup.secrets { print("  bulkhead-credentials set \(secret)") }
        }
        guard !notes.lines.isEmpty else { return }
        print("not translated, or not exactly (also written into \(config)):")
        for line in notes.lines { print("  \(line)") }
    }

    /// The last look at what is written: whatever came from the file, no key may be in it.
    private static func refuseSecrets(_ text: String) throws {
        let words = text.split { $0.isWhitespace || "\"{},".contains($0) }
        guard words.contains(where: { ForeignYAML.looksSecret(String($0)) }) else { return }
        complain("bulkhead: a name or address in the file looks like a key; take it out there and import again")
        throw ExitCodes.failed
    }

    private static func refusal(_ code: Int32, _ path: String) -> String {
        switch code {
        case EEXIST: return "it exists already; move it away, or name another file"
        case ENOENT where path.contains("/"):
            let folder = path[..<(path.lastIndex(of: "/") ?? path.endIndex)]
            return "there is no folder \(folder); make it first (mkdir -p \(folder)), or name another file"
        default: return String(cString: strerror(code))
        }
    }

    private static func write(_ text: String, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            let why = refusal(errno, path)
            complain("bulkhead: cannot write \(path): \(why)")
            throw ExitCodes.failed
        }
        defer { close(descriptor) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else {
                complain("bulkhead: cannot write \(path): \(String(cString: strerror(errno)))")
                throw ExitCodes.failed
            }
            rest = rest.dropFirst(written)
        }
    }
}
