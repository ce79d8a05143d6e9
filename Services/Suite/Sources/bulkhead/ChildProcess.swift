import BulkheadServiceKit
import CBulkheadSystem
import Dispatch
import Glibc

/// How a child process ended.
enum ChildExit: Sendable, Equatable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    var description: String {
        switch self {
        case .code(let code): "exit code \(code)"
        case .signal(let number): "signal \(number)"
        }
    }
}

/// A running child. It has a process group of its own, so that Ctrl-C reaches the supervisor only, which ends the children
/// in the right order.
struct ChildProcess: Sendable {
    let pid: pid_t

    /// Starts `path`. Its output is read line by line on a queue of its own; `onExit` is called once, after the last line.
    /// - Throws: `StartupFailure` when it cannot be started.
    static func start(
        _ path: String, _ arguments: [String], mergesErrors: Bool = true, onLine: @escaping @Sendable ([UInt8]) -> Void,
        onExit: @escaping @Sendable (ChildExit) -> Void
    ) throws -> ChildProcess {
        var ends: [Int32] = [0, 0]
        let failure = bh_pipe(&ends)
        guard failure == 0 else { throw StartupFailure("cannot make a pipe: \(String(cString: strerror(failure)))") }
        let (reading, writing) = (ends[0], ends[1])
        defer { close(writing) }
        do {
            let pid = try spawn(path, arguments, output: writing, mergesErrors: mergesErrors)
            watch(pid, reading, path, onLine, onExit)
            return ChildProcess(pid: pid)
        } catch {
            close(reading)
            throw error
        }
    }

    func send(_ signal: Int32) { kill(pid, signal) }

    private static func spawn(_ path: String, _ arguments: [String], output: Int32, mergesErrors: Bool) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        if mergesErrors { posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Ignored signals survive exec: the child starts with the defaults.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        sigdelset(&signals, SIGKILL)
        sigdelset(&signals, SIGSTOP)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var environment = Self.environment().map { strdup($0) } + [nil]
        defer { for word in words + environment { free(word) } }
        var pid: pid_t = 0
        let error = posix_spawn(&pid, path, &actions, &attributes, &words, &environment)
        guard error == 0 else { throw StartupFailure("cannot start \(path): \(String(cString: strerror(error)))") }
        return pid
    }

    private static func environment() -> [String] {
        var result = ["BULKHEAD_SUPERVISED=1"]
        var at = environ
        while let entry = at.pointee {
            result.append(String(cString: entry))
            at += 1
        }
        return result
    }

    private static func watch(
        _ pid: pid_t, _ output: Int32, _ path: String, _ onLine: @escaping @Sendable ([UInt8]) -> Void,
        _ onExit: @escaping @Sendable (ChildExit) -> Void
    ) {
        let lines = DispatchGroup()
        DispatchQueue(label: "bulkhead.output.\(pid)").async(group: lines) {
            LineReader(descriptor: output).forEach(onLine)
            close(output)
        }
        DispatchQueue(label: "bulkhead.wait.\(pid)").async {
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0, errno == EINTR {}
            // A grandchild may hold the pipe open: the last lines are waited for, but not for ever.
            _ = lines.wait(timeout: .now() + 1)
            let signal = status & 0x7f
            onExit(signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal))
        }
    }
}

/// Blocking line reader; a line longer than 64 KiB is cut into several.
struct LineReader {
    let descriptor: Int32

    func forEach(_ onLine: ([UInt8]) -> Void) {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for byte in chunk[..<count] {
                if byte == UInt8(ascii: "\n") || line.count >= 65_536 {
                    onLine(line)
                    line.removeAll(keepingCapacity: true)
                }
                if byte != UInt8(ascii: "\n") { line.append(byte) }
            }
        }
        if !line.isEmpty { onLine(line) }
    }
}
