import ArgumentParser
import BulkheadCore
import BulkheadIPC
import BulkheadServiceKit

/// `status`.
struct Status<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "status", "Show how the running process is.", example: "status --json")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let report = try await AdminConnection(Service.name, shared).invoke("status", NoValue(), as: StatusReport.self)
        try show(report, shared) { $0.text }
    }
}

extension StatusReport {
    /// The report for people.
    package var text: String {
        let calls = server.calls.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return table([
            ["service", service], ["state", reason.isEmpty ? state : "\(state): \(reason)"], ["pid", "\(pid)"],
            ["version", version], ["up", "\(Int(uptimeSeconds)) s"], ["peers connected", "\(server.connections)"],
            ["calls in flight", "\(server.inFlight)"], ["calls served", calls.isEmpty ? "none" : calls],
            ["connections refused", "\(server.rejected)"], ["configuration", configuration],
        ])
    }
}

/// `health`: exit 0 healthy, 1 not.
struct Health<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "health", "Exit 0 when the process is healthy, 1 when it is not.", example: "health")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let connection = try AdminConnection(Service.name, shared)
        let report = try await connection.invoke("health", NoValue(), as: StatusReport.self, within: .seconds(3))
        try show(report, shared) { $0.reason.isEmpty ? $0.state : "\($0.state): \($0.reason)" }
        // Degraded is alive: restarting the process would not store a missing secret.
        guard report.state == "ready" || report.state == "degraded" else { throw ExitCodes.failed }
    }
}

/// `links`.
struct Links<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "links", "Show each link: peer, state, breaker, calls, latency.", example: "links")
    }
    @OptionGroup var shared: SharedOptions
    @Flag(help: "Show instead the methods of each link: class, id, and whether both versions fit.") var methods = false

    func run() async throws {
        let connection = try AdminConnection(Service.name, shared)
        if methods {
            let links = try await connection.invoke("links.methods", NoValue(), as: [LinkMethods].self)
            return try show(links, shared) { table([LinkMethods.head] + $0.flatMap(\.rows)) }
        }
        let links = try await connection.invoke("links", NoValue(), as: [LinkReport].self)
        try show(links, shared) { table([LinkReport.head] + $0.map(\.row)) }
    }
}

extension LinkMethods {
    fileprivate static let head = ["PEER", "METHOD", "SHAPE", "CLASS", "ID", "VERSION"]

    fileprivate var rows: [[String]] {
        methods.map { method in
            [
                peer, method.name, method.shape, method.methodClass, method.id.map { "\($0)" } ?? "-",
                method.version.rawValue + (method.problem.map { ": \($0)" } ?? ""),
            ]
        }
    }
}

extension LinkReport {
    /// Titles of `row`.
    package static let head = [
        "PEER", "STATE", "FOR", "BREAKER", "IN FLIGHT", "CALLS", "FAILED", "P50 MS", "P99 MS", "SKEWED", "LAST ERROR",
        "WITHOUT IT",
    ]

    /// The link for people.
    package var row: [String] {
        func number(_ value: Double?) -> String { value.map { "\(Double(Int($0 * 1000)) / 1000)" } ?? "-" }
        return [
            link.peer, link.state.rawValue, "\(Int(link.stateSeconds)) s", link.breaker, "\(link.inFlight)", "\(link.calls)",
            "\(link.failures)", number(link.p50Milliseconds), number(link.p99Milliseconds),
            link.skewed.isEmpty ? "-" : link.skewed.joined(separator: " "), link.lastError ?? "-", fallback,
        ]
    }
}

/// `breakers list|open|close|auto`.
struct Breakers<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(
            Service.self, "breakers", "List the circuit breakers, or force one.", example: "breakers list",
            subcommands: [
                BreakersList<Service>.self, BreakersOpen<Service>.self, BreakersClose<Service>.self, BreakersAuto<Service>.self,
            ])
    }
}

/// `breakers list`.
struct BreakersList<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(Service.self, "list", "List the circuit breakers.", example: "breakers list")
    }
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let rows = try await AdminConnection(Service.name, shared).invoke("breakers.list", NoValue(), as: [BreakerRow].self)
        try show(rows, shared) { rows in
            table(
                [["NAME", "STATE", "NEXT PROBE"]]
                    + rows.map { [$0.name, $0.state, $0.nextProbeMilliseconds.map { "\($0) ms" } ?? "-"] })
        }
    }
}

/// `breakers open NAME`.
struct BreakersOpen<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(
            Service.self, "open", "Force a breaker open: calls fail fast.",
            example: "breakers open \(Service.peers.first?.service.rawValue ?? "telemetry")")
    }
    @OptionGroup var shared: SharedOptions
    @Argument(help: "A name of `breakers list`.") var name: String

    func run() async throws { try await force(Service.name, name, open: true, shared) }
}

/// `breakers close NAME`.
struct BreakersClose<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(
            Service.self, "close", "Force a breaker closed: calls go through.",
            example: "breakers close \(Service.peers.first?.service.rawValue ?? "telemetry")")
    }
    @OptionGroup var shared: SharedOptions
    @Argument(help: "A name of `breakers list`.") var name: String

    func run() async throws { try await force(Service.name, name, open: false, shared) }
}

/// `breakers auto NAME`.
struct BreakersAuto<Service: CommandLineService>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        verb(
            Service.self, "auto", "Let a breaker decide by itself again.",
            example: "breakers auto \(Service.peers.first?.service.rawValue ?? "telemetry")")
    }
    @OptionGroup var shared: SharedOptions
    @Argument(help: "A name of `breakers list`.") var name: String

    func run() async throws { try await force(Service.name, name, open: nil, shared) }
}

private func force(_ service: ServiceName, _ name: String, open: Bool?, _ shared: SharedOptions) async throws {
    let row = try await AdminConnection(service, shared).invoke(
        "breakers.force", BreakerCommand(name: name, open: open), as: BreakerRow.self)
    try show(row, shared) { "\($0.name): \($0.state)" }
}
