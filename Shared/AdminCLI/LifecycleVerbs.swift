import ArgumentParser
import BulkheadConfig
import BulkheadCore
import BulkheadServiceKit

/// `serve`.
struct Serve<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "serve", "Run the service until SIGTERM.", example: "serve --config bulkhead.yaml")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let code = await ServiceRunner<Service>(configurationPath: shared.configurationPath).run()
        throw ExitCode(code)
    }
}

/// What `check --json` prints.
struct CheckReport: Codable {
    var problems: [ConfigProblem]
}

/// `check`.
struct Check<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "check", "Check the configuration and print every problem.", example: "check --config bulkhead.yaml")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        var report = CheckReport(problems: [])
        do {
            _ = try loadConfiguration(Service.Configuration.self, path: shared.configurationPath)
            report.problems = await Service.furtherProblems(shared)
        } catch let problems as ConfigProblems {
            report.problems = problems.problems
        }
        try show(report, shared) { report in
            report.problems.isEmpty
                ? "\(shared.configurationPath): no problems for \(Service.name.rawValue)"
                : report.problems.map(\.description).joined(separator: "\n")
        }
        if !report.problems.isEmpty { throw ExitCodes.configuration }
    }
}

/// `config`.
struct Config<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(
            Service.self, "config", "Show the configuration in force in the running process, with each value's source.",
            example: "config --effective")
    }
    @OptionGroup var shared: SharedOptions
    @Flag(help: "Show every value, defaults included.") var effective = false

    func run() async throws {
        let connection = try AdminConnection(Service.name, shared)
        let values = try await connection.invoke("config.effective", NoValue(), as: [EffectiveValue].self)
        let chosen = values.filter { value in
            if case .file = value.source { return true }
            return effective
        }
        try show(chosen, shared) { values in
            table(
                [["KEY", "VALUE", "SOURCE"]]
                    + values.map { value in
                        if case .file(let line) = value.source { return [value.key, value.value, "line \(line)"] }
                        return [value.key, value.value, "default"]
                    })
        }
    }
}

/// `reload`.
struct Reload<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "reload", "Read the configuration again, all or nothing (as SIGHUP does).", example: "reload")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let report = try await AdminConnection(Service.name, shared).invoke("reload", NoValue(), as: ReloadReport.self)
        try show(report, shared) { report in
            report.reloaded ? "reloaded" : report.problems.map(\.description).joined(separator: "\n")
        }
        if !report.reloaded { throw ExitCodes.configuration }
    }
}

/// `log-level`.
struct LogLevelCommand<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "log-level", "Change what the running process logs, until it restarts.", example: "log-level debug")
    }
    @OptionGroup var shared: SharedOptions
    @Argument(help: "trace, debug, info, notice, warning, error or critical.") var level: String

    func run() async throws {
        let connection = try AdminConnection(Service.name, shared)
        let change = try await connection.invoke("log-level", LogLevelChange(level: level), as: LogLevelChange.self)
        try show(change, shared) { "logging \($0.level) and above" }
    }
}

/// `drain`.
struct Drain<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "drain", "Let running work finish, then end the process (as SIGTERM does).", example: "drain")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let done = try await AdminConnection(Service.name, shared).invoke("drain", NoValue(), as: NoValue.self)
        try show(done, shared) { _ in "draining" }
    }
}

/// What `version --json` prints.
struct VersionReport: Codable {
    var service: String
    var version: String
}

/// `version`.
struct Version<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "version", "Print the version of this program.", example: "version")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let report = VersionReport(service: Service.name.rawValue, version: BulkheadVersion.current)
        try show(report, shared) { "\(Service.name.executable) \($0.version)" }
    }
}
