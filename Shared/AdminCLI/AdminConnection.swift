import ArgumentParser
import BulkheadAPI
import BulkheadConfig
import BulkheadCore
import BulkheadIPC
import BulkheadResilience
import BulkheadServiceKit
import Glibc

/// A connection of an admin verb to the running process, over its `admin.sock`.
package struct AdminConnection: Sendable {
    private let service: ServiceName
    private let link: IPCLink

    /// Finds the socket by the configuration's `suite.run_dir`.
    /// - Throws: exit code 78 when the file has problems in `suite`, 69 when nothing listens; a line on standard error says why.
    package init(_ service: ServiceName, _ options: SharedOptions) throws {
        try self.init(service, runDir: Self.suite(options.configurationPath).runDir)
    }

    /// As above, with the run dir already known.
    package init(_ service: ServiceName, runDir: String) throws {
        let path = ServiceFolders(service: service, runDir: runDir, stateDir: "").adminSocket
        if let error = Self.probe(path) {
            complain("\(service.executable): not running: \(path): \(error)")
            throw ExitCodes.unreachable
        }
        self.service = service
        link = IPCLink(
            configuration: LinkConfiguration(
                peer: service.rawValue, caller: "admin", socketPath: path, schemas: [AdminMethods.schema],
                allowedOwners: Self.anyOwner(of: path)),
            eventLoop: ProcessRuntime.eventLoop)
    }

    /// As above, for whoever can do without: nil, and no word on standard error, when nothing listens.
    package static func ifRunning(_ service: ServiceName, runDir: String) -> AdminConnection? {
        let path = ServiceFolders(service: service, runDir: runDir, stateDir: "").adminSocket
        return probe(path) == nil ? try? AdminConnection(service, runDir: runDir) : nil
    }

    /// Reads the `suite` section; other sections are not looked at.
    package static func suite(_ path: String) throws -> SuiteConfiguration {
        do {
            return try loadConfiguration(SuiteOnly.self, path: path).suite
        } catch let problems as ConfigProblems {
            for problem in problems.problems { complain("\(problem)") }
            throw ExitCodes.configuration
        }
    }

    /// Runs a verb in the process.
    /// - Throws: exit code 69 when the process does not answer, 64 when it refused an option, 1 when the verb failed; the message is
    ///   on standard error.
    package func invoke<Arguments: Encodable & Sendable, Result: Decodable & Sendable>(
        _ verb: String, _ arguments: Arguments, as type: Result.Type, within: Duration = .seconds(15)
    ) async throws -> Result {
        do {
            return try await request(verb, arguments, as: type, within: within)
        } catch let error as CallError {
            complain("\(service.executable): \(Self.message(of: error, verb))")
            if Self.namesOption(error) { throw ExitCodes.usage }
            // An error with an origin is the word of a process that answered.
            let unreachable = error.origin == nil && error.code == .unavailable || error.code == .deadlineExceeded
            throw unreachable ? ExitCodes.unreachable : ExitCodes.failed
        }
    }

    /// An option whose value only the service can judge.
    private static func namesOption(_ error: CallError) -> Bool {
        error.code == .invalidArgument && error.reason == "invalid_request" && error.message.hasPrefix("--")
    }

    /// Who only looks did not want to change anything.
    private static func message(of error: CallError, _ verb: String) -> String {
        let (reassurance, isRead) = (": nothing was changed", [".list", ".show", ".check"].contains { verb.hasSuffix($0) })
        guard isRead, error.message.hasSuffix(reassurance) else { return error.message }
        return String(error.message.dropLast(reassurance.count))
    }

    /// As `invoke`, with the failure as a value.
    /// - Throws: `CallError`.
    package func request<Arguments: Encodable & Sendable, Result: Decodable & Sendable>(
        _ verb: String, _ arguments: Arguments, as type: Result.Type, within: Duration = .seconds(15)
    ) async throws -> Result {
        let options = CallOptions(deadline: .now() + within, waitForReady: .seconds(2))
        let request = ControlAPI.InvokeRequest(verb: verb, argumentsJson: try AdminJSON.encode(arguments))
        let reply = try await AdminClient(link: link).invoke(request, options)
        return try AdminJSON.decode(type, reply.resultJson)
    }

    /// Whether something listens at `path`; nil is yes.
    private static func probe(_ path: String) -> String? {
        guard var address = unixAddress(path) else { return "the path is longer than 107 bytes" }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return result == 0 || errno == EAGAIN ? nil : String(cString: strerror(errno))
    }

    private static func unixAddress(_ path: String) -> sockaddr_un? {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { space in
            guard path.utf8.count < space.count else { return false }
            space.copyBytes(from: path.utf8)
            return true
        }
        return fits ? address : nil
    }

    /// An operator may administer a service of any uid; the service checks the operator, not the other way round.
    private static func anyOwner(of path: String) -> [UInt32]? {
        var info = stat()
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        return lstat(folder, &info) == 0 ? [info.st_uid] : nil
    }
}

/// A service section nobody reads: for programs that need `suite` only.
struct SuiteOnly: ServiceConfiguration {
    static let sectionName = "suite"
    init(section: ConfigSection, suite: SuiteConfiguration) {}
}
