import ArgumentParser
import BulkheadConfig
import BulkheadServiceKit
import Glibc

/// Options every verb takes.
package struct SharedOptions: ParsableArguments {
    /// The configuration file, as `--config` gave it.
    @Option(name: .long, help: "Configuration file (else $BULKHEAD_CONFIG, ./bulkhead.yaml, /etc/bulkhead/bulkhead.yaml).")
    package var config: String?

    /// Machine-readable output on standard output, nothing else there.
    @Flag(name: .long, help: "Print JSON, and nothing else, on standard output.")
    package var json = false

    /// As the parser needs it.
    package init() {}

    /// The file in force.
    package var configurationPath: String { ConfigDocument.locate(explicit: config) }
}

/// Prints a result: as JSON with `--json`, else as text for people.
package func show<Result: Encodable>(_ result: Result, _ options: SharedOptions, text: (Result) -> String) throws {
    let output = options.json ? try AdminJSON.encode(result) : text(result)
    print(output)
}

/// Exit codes of CONTRACT §1.
package enum ExitCodes {
    /// Something failed.
    package static let failed = ExitCode(1)
    /// The command line is wrong, as the parser of arguments has it too (`EX_USAGE`).
    package static let usage = ExitCode(64)
    /// The service cannot be reached.
    package static let unreachable = ExitCode(69)
    /// The configuration has problems.
    package static let configuration = ExitCode(78)
}

/// Writes a line to standard error.
package func complain(_ line: String) { FileHandleText.standardError(line + "\n") }

/// Rows as an aligned table; the first row is the head.
package func table(_ rows: [[String]]) -> String {
    guard let columns = rows.first?.count else { return "" }
    let widths = (0 ..< columns).map { column in rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
        let cells = row.enumerated().map { index, cell in
            index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
        }
        return cells.joined(separator: "  ")
    }.joined(separator: "\n")
}
