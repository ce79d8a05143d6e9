import ArgumentParser
import BenchFigures
import BulkheadCore
import Glibc

/// What the device takes to make an appended page durable.
struct Sync: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Append 4 KiB to a file in a folder and sync it, again and again; print {p50_us, p99_us, count}.")

    @Argument(help: "A folder on the device.") var folder: String
    @Option(help: "Times.") var count = 500

    func run() async throws {
        let path = folder + "/sync-\(getpid())"
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ValidationError("\(path) cannot be made: \(String(cString: strerror(errno)))") }
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 7, count: 4096)
        var took: [UInt64] = []
        for _ in 0 ..< count {
            let began = MonotonicTime.now()
            guard write(file, page, page.count) == page.count, fdatasync(file) == 0 else {
                throw ValidationError("\(path) cannot be written: \(String(cString: strerror(errno)))")
            }
            took.append(MonotonicTime.now().nanoseconds - began.nanoseconds)
        }
        print(Figures(took).json)
    }
}
