import BulkheadAdminCLI
import Foundation
import RouterService

/// A file with a request body an operator asks about; `-` is standard input.
enum BodyFile {
    /// As edge takes at most, unless it is configured otherwise.
    private static let maxBytes = 64 << 20

    /// Reads it, and has `parse` look at it.
    /// - Throws: exit code 1 when it cannot be read or `parse` throws; a line on standard error says why.
    static func read<Value>(_ name: String, _ parse: ([UInt8]) throws -> Value) throws -> Value {
        do {
            let file = name == "-" ? FileHandle.standardInput : try FileHandle(forReadingFrom: URL(filePath: name))
            let body = try file.read(upToCount: maxBytes + 1) ?? Data()
            guard body.count <= maxBytes else {
                throw RequestSketch.Unreadable(description: "more than \(maxBytes >> 20) MiB")
            }
            return try parse([UInt8](body))
        } catch {
            let why = (error as? RequestSketch.Unreadable)?.description ?? error.localizedDescription
            complain("bulkhead-router: \(name == "-" ? "standard input" : name): \(why)")
            throw ExitCodes.failed
        }
    }
}
