import ArgumentParser
import BulkheadAdminCLI
import CredentialsService
import Glibc

/// Reads a secret from standard input or from the terminal without echo.
enum ValueInput {
    private static let maxBytes = 64 << 10

    /// The value as text.
    static func read(fromInput: Bool, prompt: String) throws -> String {
        guard let text = String(validating: try bytes(fromInput: fromInput, prompt: prompt), as: UTF8.self) else {
            throw ValidationError("the value is not text (UTF-8)")
        }
        return text
    }

    /// The bytes as given; from the terminal one line without its end.
    static func bytes(fromInput: Bool, prompt: String) throws -> [UInt8] {
        if fromInput { return try all() }
        guard isatty(STDIN_FILENO) == 1 else {
            throw ValidationError("there is no terminal to type the value on: pipe it in with --stdin")
        }
        return try line(prompt)
    }

    private static func all() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ValidationError("standard input cannot be read: \(String(cString: strerror(errno)))") }
            if count == 0 { break }
            bytes += chunk[..<count]
            guard bytes.count <= maxBytes + 2 else { throw ValidationError("the value is longer than 64 KiB") }
        }
        guard !bytes.isEmpty else { throw ValidationError("standard input is empty") }
        return bytes
    }

    private static func line(_ prompt: String) throws -> [UInt8] {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else {
            throw ValidationError("the terminal cannot be switched to hide what is typed")
        }
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0 else {
            throw ValidationError("the terminal cannot be switched to hide what is typed")
        }
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before) }
        complain("\(prompt) (not shown):")
        guard let text = readLine(strippingNewline: true), !text.isEmpty else { throw ValidationError("nothing was typed") }
        return Array(text.utf8)
    }
}

/// Asks before something is destroyed; only people at a terminal are asked.
enum Confirmation {
    static func ask(_ question: String, yes: Bool) throws {
        guard !yes, isatty(STDIN_FILENO) == 1 else { return }
        complain("\(question) [y/N]")
        let answer = readLine() ?? ""
        guard ["y", "yes"].contains(answer.lowercased()) else {
            complain("nothing was changed")
            throw ExitCodes.failed
        }
    }
}

/// Times for people.
enum WallTime {
    /// UTC, to the second. - Parameter milliseconds: since 1970.
    static func text(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
