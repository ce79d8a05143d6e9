import ArgumentParser
import BulkheadAdminCLI
import CredentialsService

@main
enum Main {
    static func main() { ServiceMain.run(CredentialsDaemon.self) }
}

extension CredentialsDaemon: CommandLineService {
    package static var abstract: String {
        "Keeps secrets and is the suite's only way out: callers name a destination, never a key."
    }

    package static var commands: [any ParsableCommand.Type] {
        [
            SetSecret.self, ListSecrets.self, RotateSecret.self, RevokeSecret.self, DeleteSecret.self, ResealSecret.self,
            TestDestination.self, ExplainDestination.self,
            Doctor.self, Unlock.self, Audit.self,
        ]
    }
}
