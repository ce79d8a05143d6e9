import BulkheadCore
import BulkheadObservability
import Glibc

/// Writes the children's lines to standard output, each behind its service's name, in colour on a terminal.
final class LogRelay: Sendable {
    private let writer = LogWriter(descriptor: STDOUT_FILENO)
    private let coloured = isatty(STDOUT_FILENO) == 1 && getenv("NO_COLOR") == nil

    /// One line of a child.
    func relay(_ name: String, _ line: [UInt8]) {
        writer.write(Array(prefix(name).utf8) + line + [UInt8(ascii: "\n")])
    }

    /// A line of the supervisor itself.
    func say(_ text: String) { writer.write(Array("bulkhead: \(text)\n".utf8)) }

    /// Waits until everything is written, at most a second.
    func flush() { writer.flush() }

    private func prefix(_ name: String) -> String {
        let padded = name + String(repeating: " ", count: max(0, 11 - name.count))
        guard coloured else { return "\(padded) | " }
        let place = ServiceName(rawValue: name).flatMap { ServiceName.allCases.firstIndex(of: $0) } ?? 6
        return "\u{1b}[3\(1 + place % 6)m\(padded)\u{1b}[0m | "
    }
}
