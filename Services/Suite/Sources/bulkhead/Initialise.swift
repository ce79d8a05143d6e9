import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import BulkheadServiceKit
import Glibc

/// `bulkhead init`.
struct Initialise: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a commented configuration file to start from.",
        discussion: "Example:\n  bulkhead init --config bulkhead.yaml")
    @Option(help: "The file to write.") var config = "bulkhead.yaml"

    func run() async throws {
        let descriptor = open(config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else {
            let why = errno == EEXIST ? "it exists already; move it away, or name another file" : String(cString: strerror(errno))
            complain("bulkhead: cannot write \(config): \(why)")
            throw ExitCodes.failed
        }
        defer { close(descriptor) }
        var rest = Array(ConfigTemplate.development.utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else {
                complain("bulkhead: cannot write \(config): \(String(cString: strerror(errno)))")
                throw ExitCodes.failed
            }
            rest = rest.dropFirst(written)
        }
        print("wrote \(config); next: bulkhead up --demo --config \(config) (without --demo once a provider's key is stored)")
    }
}
