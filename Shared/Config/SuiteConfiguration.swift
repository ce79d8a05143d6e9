import BulkheadCore

/// Where the suite runs. Production refuses what is convenient but open.
package enum Environment: String, CaseIterable, Sendable, Codable {
    case dev
    case production
}

/// The least severe message that is logged.
package enum LogLevel: String, CaseIterable, Sendable, Codable {
    case trace, debug, info, notice, warning, error, critical
}

/// What `suite.links` changes of one link's defaults; nil leaves the default.
package struct LinkOverride: Sendable, Equatable {
    /// The deadline of a call that has none of its own.
    package var deadline: Duration?
    /// Failures in a row that open the breaker.
    package var failures: Int?
    /// The share of failed calls in the window that opens the breaker, 0 … 1.
    package var failureRatio: Double?
    /// Calls in the window below which the ratio does not count.
    package var minRequests: Int?
    /// What the ratio looks back on.
    package var window: Duration?
    /// How long the breaker stays open the first time.
    package var openFor: Duration?
    /// How long it stays open at most, after repeated openings.
    package var openForMax: Duration?
    /// The share of calls in the window that run too long and open the breaker, 0 … 1.
    package var slowRatio: Double?
    /// From when on a running unary call is too long; a control call is after a second at the latest.
    package var slowAfter: Duration?
    /// Calls in flight at most, by class.
    package var maxControl: Int?
    package var maxUnary: Int?
    package var maxStream: Int?

    /// An override that changes what is given.
    package init(
        deadline: Duration? = nil, failures: Int? = nil, failureRatio: Double? = nil, minRequests: Int? = nil,
        window: Duration? = nil, openFor: Duration? = nil, openForMax: Duration? = nil, slowRatio: Double? = nil,
        slowAfter: Duration? = nil, maxControl: Int? = nil, maxUnary: Int? = nil, maxStream: Int? = nil
    ) {
        self.deadline = deadline
        self.failures = failures
        self.failureRatio = failureRatio
        self.minRequests = minRequests
        self.window = window
        self.openFor = openFor
        self.openForMax = openForMax
        self.slowRatio = slowRatio
        self.slowAfter = slowAfter
        self.maxControl = maxControl
        self.maxUnary = maxUnary
        self.maxStream = maxStream
    }

    init(section: ConfigSection) {
        let breaker = section.section("breaker")
        let inFlight = section.section("max_in_flight")
        self.init(
            deadline: section.optionalDuration("deadline", in: .milliseconds(1) ... .seconds(86_400)),
            failures: breaker.optionalInt("failures", in: 1 ... 10_000),
            failureRatio: breaker.optionalDouble("failure_ratio", in: 0 ... 1),
            minRequests: breaker.optionalInt("min_requests", in: 1 ... 1_000_000),
            window: breaker.optionalDuration("window", in: .milliseconds(100) ... .seconds(3600)),
            openFor: breaker.optionalDuration("open_for", in: .milliseconds(10) ... .seconds(3600)),
            openForMax: breaker.optionalDuration("open_for_max", in: .milliseconds(10) ... .seconds(86_400)),
            slowRatio: breaker.optionalDouble("slow_ratio", in: 0.01 ... 1),
            slowAfter: breaker.optionalDuration("slow_after", in: .milliseconds(10) ... .seconds(86_400)),
            maxControl: inFlight.optionalInt("control", in: 1 ... 1_000_000),
            maxUnary: inFlight.optionalInt("unary", in: 1 ... 1_000_000),
            maxStream: inFlight.optionalInt("stream", in: 1 ... 1_000_000))
        if let first = openFor, let most = openForMax, first > most {
            breaker.report("open_for_max", found: Quantity.text(most), expected: "at least open_for, \(Quantity.text(first))")
        }
    }
}

/// The section `suite`, which every service reads.
package struct SuiteConfiguration: Sendable {
    /// dev or production.
    package var environment: Environment
    /// The folder of the sockets, a folder a service in it; relative to the working directory of the process.
    package var runDir: String
    /// The folder of the data, a folder a service in it; relative to the working directory of the process.
    package var stateDir: String
    /// The least severe message that is logged.
    package var logLevel: LogLevel
    /// Overrides by `caller.peer`, e.g. `edge.router`; only names of `linkNames`.
    package var links: [String: LinkOverride]
    /// Where durable and fast state is kept.
    package var stores: StoresConfiguration

    /// The top-level sections of the file.
    package static let sectionNames = ["suite"] + ServiceName.allCases.map(\.rawValue)

    /// Who calls whom, as `caller.peer`.
    package static let linkNames: [String] = {
        let peers: [(ServiceName, [ServiceName])] = [
            (.edge, [.router, .retrieval, .session, .credentials, .telemetry]),
            (.router, [.retrieval, .credentials, .telemetry]),
            (.retrieval, [.credentials, .telemetry]),
            (.session, [.edge, .credentials, .telemetry]),
            (.credentials, [.telemetry]),
            (.telemetry, [.credentials]),
        ]
        return peers.flatMap { caller, peers in peers.map { "\(caller.rawValue).\($0.rawValue)" } }
    }()

    /// Longest `run_dir` in bytes: the address of a Unix socket holds 107 bytes, and the longest path below is this one.
    static let maxRunDirBytes = 107 - "/credentials/admin.sock".utf8.count

    /// Reads the section; problems are reported into it.
    package init(section: ConfigSection) {
        environment = section.choice("environment", default: .dev)
        let isProduction = environment == .production
        runDir = section.string("run_dir", default: isProduction ? "/run/bulkhead" : ".bulkhead/run")
        stateDir = section.string("state_dir", default: isProduction ? "/var/lib/bulkhead" : ".bulkhead/state")
        logLevel = section.choice("log_level", default: .info)
        links = Self.links(section)
        stores = StoresConfiguration(section: section.section("stores"))
        checkFolders(section)
    }

    private static func links(_ section: ConfigSection) -> [String: LinkOverride] {
        var links: [String: LinkOverride] = [:]
        for (name, link) in section.map("links") {
            links[name] = LinkOverride(section: link)
            guard !linkNames.contains(name) else { continue }
            section.section("links").reportKey(
                name, expected: "caller.peer, one of: \(linkNames.joined(separator: ", "))",
                suggestion: NearestName.find(name, among: linkNames))
        }
        return links
    }

    private func checkFolders(_ section: ConfigSection) {
        for (key, value) in [("run_dir", runDir), ("state_dir", stateDir)] where value.isEmpty || value.contains("\0") {
            section.report(key, found: "\"\"", expected: "a folder")
        }
        if runDir.utf8.count > Self.maxRunDirBytes {
            section.report(
                "run_dir", found: "a path of \(runDir.utf8.count) bytes",
                expected: "at most \(Self.maxRunDirBytes), because the address of a Unix socket in it holds 107")
        }
    }
}
