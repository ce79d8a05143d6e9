import ArgumentParser
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit
import Glibc

/// A service with a command line. Adopted in the executable, where its own verbs are known.
package protocol CommandLineService: BulkheadService {
    /// Its own verbs, besides those every service has.
    static var commands: [any ParsableCommand.Type] { get }
    /// One sentence for `--help`.
    static var abstract: String { get }
    /// What `check` finds wrong besides the file itself, such as what the running process knows; empty when it cannot be asked.
    /// Called for files without problems.
    static func furtherProblems(_ options: SharedOptions) async -> [ConfigProblem]
}

extension CommandLineService {
    package static var commands: [any ParsableCommand.Type] { [] }

    /// None.
    package static func furtherProblems(_ options: SharedOptions) async -> [ConfigProblem] { [] }
}

/// The `main` of every program of the suite.
package enum ServiceMain {
    /// Runs a service's program: `serve` or an admin verb.
    package static func run<Service: CommandLineService>(_ service: Service.Type) -> Never { run(command: Root<Service>.self) }

    /// Runs any command with the process's event loop as executor.
    package static func run(command: (some AsyncParsableCommand).Type) -> Never {
        signal(SIGPIPE, SIG_IGN)
        StopSignals.block()
        ProcessRuntime.takeOver()
        Task {
            // Prints usage errors and help itself, and ends the process with the exit code the error carries.
            await command.main()
            fflush(nil)
            exit(0)
        }
        StopSignals.waitForEver()
    }
}

/// `bulkhead-<service>`.
struct Root<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Service.name.executable, abstract: Service.abstract,
            discussion: "`serve` runs the service; every other verb talks to the running process.",
            version: BulkheadVersion.current,
            subcommands: [
                Serve<Service>.self, Check<Service>.self, Status<Service>.self, Health<Service>.self, Links<Service>.self,
                Breakers<Service>.self, Config<Service>.self, Reload<Service>.self, LogLevelCommand<Service>.self,
                Drain<Service>.self, Version<Service>.self,
            ] + Service.commands)
    }
}

/// The configuration of a shared verb, with its example.
func verb<Service: CommandLineService>(
    _ service: Service.Type, _ name: String, _ abstract: String, example: String, subcommands: [any ParsableCommand.Type] = []
) -> CommandConfiguration {
    CommandConfiguration(
        commandName: name, abstract: abstract, discussion: "Example:\n  \(Service.name.executable) \(example)",
        subcommands: subcommands)
}
