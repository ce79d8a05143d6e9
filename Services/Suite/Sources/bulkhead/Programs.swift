import ArgumentParser
import BulkheadAdminCLI
import BulkheadConfig
import BulkheadCore
import BulkheadServiceKit
import Glibc
import Synchronization

/// The executables of the suite: in $BULKHEAD_BIN_DIR, else beside this one.
struct Programs: Sendable {
    let folder: String

    /// - Throws: exit code 1 when one is missing, with its path.
    static func locate() throws -> Programs {
        let programs = Programs(folder: folder())
        for service in ServiceName.allCases where access(programs.path(service.executable), X_OK) != 0 {
            complain(
                "bulkhead: \(programs.path(service.executable)) is missing; build it, or set BULKHEAD_BIN_DIR to the folder that has it"
            )
            throw ExitCodes.failed
        }
        return programs
    }

    func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// What `bulkhead-<service> check` finds in the file.
    func check(_ service: ServiceName, _ config: String) async throws -> [ConfigProblem] {
        let text = try await output(service.executable, ["check", "--json", "--config", config])
        return try AdminJSON.decode(Report.self, text).problems
    }

    /// What a program prints, whatever its exit code.
    /// - Parameter mergesErrors: with what it says on standard error; else that goes where ours goes.
    /// - Throws: `StartupFailure` when it cannot run or prints nothing.
    func output(_ name: String, _ arguments: [String], mergesErrors: Bool = false) async throws -> String {
        let lines = Mutex<[[UInt8]]>([])
        let exit = await withCheckedContinuation { (continuation: CheckedContinuation<Result<ChildExit, any Error>, Never>) in
            do {
                _ = try ChildProcess.start(path(name), arguments, mergesErrors: mergesErrors) { line in
                    lines.withLock { $0.append(line) }
                } onExit: {
                    continuation.resume(returning: .success($0))
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        let text = lines.withLock { lines in lines.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n") }
        let ended = try exit.get()
        guard !text.isEmpty else {
            throw StartupFailure("`\(name) \(arguments.joined(separator: " "))` printed nothing (\(ended))")
        }
        return text
    }

    private struct Report: Codable {
        var problems: [ConfigProblem]
    }

    private static func folder() -> String {
        if let given = getenv("BULKHEAD_BIN_DIR") { return String(cString: given) }
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        guard count > 0 else { return "." }
        let text = String(decoding: path[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(text[..<(text.lastIndex(of: "/") ?? text.startIndex)])
    }
}

/// What the suite program reads of the services' sections.
enum SuiteFacts {
    /// Where the demo provider listens, as the file of `bulkhead init` expects it.
    static let demoProvider = "127.0.0.1:8901"

    /// Where the demo provider listens: where the file's destination `demo` leads, if it is on this machine.
    static func demo(_ path: String) -> String {
        guard let document = try? ConfigDocument.load(path: path) else { return demoProvider }
        let url = document.section("credentials").section("destinations").section("demo").string("base_url", default: "")
        let host = "http://127.0.0.1:"
        guard url.hasPrefix(host), let port = Int(url.dropFirst(host.count).prefix { $0 != "/" }) else { return demoProvider }
        return "127.0.0.1:\(port)"
    }

    /// Where the edge listens.
    static func listen(_ path: String) throws -> HostPort {
        let document = try ConfigDocument.load(path: path)
        return document.section("edge").hostPort("listen", default: HostPort(host: "127.0.0.1", port: 8080))
    }
}
