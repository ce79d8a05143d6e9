import ArgumentParser
import BenchFigures
import BulkheadCore
import Foundation
import Glibc

/// What two threads of this machine take at least to ask and to answer, whatever they say: mostly the waking of a core.
struct PingPong: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping-pong",
        abstract: "Send 1 KiB to and fro between two threads over a Unix socket, blocking; print {p50_us, p99_us, count}.")

    @Option(help: "Times.") var count = 20_000

    func run() async throws {
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
            throw ValidationError("no pair of sockets: \(String(cString: strerror(errno)))")
        }
        let (here, there) = (ends[0], ends[1])
        let echo = Thread {
            var page = [UInt8](repeating: 0, count: 1024)
            while case let got = read(there, &page, page.count), got > 0, write(there, page, got) == got {}
            close(there)
        }
        echo.start()
        let page = [UInt8](repeating: 7, count: 1024)
        var (answer, took): ([UInt8], [UInt64]) = (page, [])
        for _ in 0 ..< count {
            let began = MonotonicTime.now()
            guard write(here, page, page.count) == page.count, read(here, &answer, answer.count) == page.count else {
                throw ValidationError("the echo is gone: \(String(cString: strerror(errno)))")
            }
            took.append(MonotonicTime.now().nanoseconds - began.nanoseconds)
        }
        close(here)
        print(Figures(took).json)
    }
}
