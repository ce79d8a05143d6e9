import ArgumentParser
import BenchFigures
import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import BulkheadRedis
import Foundation
import Glibc
import NIOCore
import RouterService
import Synchronization

/// How long other commands wait while very many keys of a Redis are invalidated.
struct Stall: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Invalidate answers in a Redis while others ping; print {keys, purge_s, quiet, during, longest_command_us}."
    )

    @Argument(help: "Path of the socket of a Redis that holds nothing else.") var redis: String
    @Option(help: "Answers.") var count = 100_000

    func run() async throws {
        try await RedisBench.withClient(redis) { client in
            try await fill(client)
            let quiet = try Pinger(redis)
            try await ProcessRuntime.eventLoop.sleep(.seconds(1))
            let before = quiet.end()
            let watch = [("slowlog-max-len", "100000"), ("slowlog-log-slower-than", "200")].map {
                RedisCommand("CONFIG", "SET", $0, $1)
            }
            _ = try await client.run(watch + [RedisCommand("SLOWLOG", "RESET")], within: .seconds(1))
            let pinger = try Pinger(redis)
            let began = MonotonicTime.now()
            let gone = try await RedisAnswers(client).purge(nil)
            let took = (MonotonicTime.now() - began).milliseconds / 1000
            let during = pinger.end()
            guard gone == count else { throw ValidationError("\(gone) of \(count) answers were invalidated") }
            let longest = try await Self.longestCommand(client)
            print(
                #"{"keys":\#(gone),"purge_s":\#(took),"quiet":\#(before),"during":\#(during),"longest_command_us":\#(longest)}"#)
        }
    }

    /// By the server's own clock, in microseconds; 0: none took 200.
    private static func longestCommand(_ client: RedisClient) async throws -> Int {
        let told = try await client.run([RedisCommand("SLOWLOG", "GET", "-1")], within: .seconds(10))
        // Each entry: its number, when, how long, …
        return (told.first?.array ?? []).compactMap { $0.array?.dropFirst(2).first?.integer }.max() ?? 0
    }

    /// Answers as the router keeps them, without a router for each.
    private func fill(_ client: RedisClient) async throws {
        let script = """
            for i = 1, 1000 do
                local name = ARGV[1] .. '-' .. i
                redis.call('SET', 'bh:ac2:{' .. KEYS[1] .. '}:' .. name, string.rep('x', 1024), 'PX', 600000)
                redis.call('ZADD', 'bh:ac2:{' .. KEYS[1] .. '}:ix', 4102444800000, name)
            end
            redis.call('ZADD', 'bh:ac2:tenants', 4102444800000, KEYS[1])
            """
        for part in 0 ..< count / 1000 {
            _ = try await client.run([RedisCommand("EVAL", script, "1", "bench", "\(part)")], within: .seconds(10))
        }
    }
}

/// A thread that sends PING over a connection of its own, again and again, and keeps how long each took.
final class Pinger: Sendable {
    private struct State {
        var isEnded = false
        var took: [UInt64]?
    }

    private let state = Mutex(State())

    /// Connects and begins.
    init(_ path: String) throws {
        let socket = try Self.connect(path)
        let thread = Thread { [self] in
            var took: [UInt64] = []
            while !state.withLock({ $0.isEnded }), let one = Self.ping(socket) { took.append(one) }
            close(socket)
            state.withLock { $0.took = took }
        }
        thread.start()
    }

    /// Ends it. - Returns: JSON, with the longest.
    func end() -> String {
        state.withLock { $0.isEnded = true }
        while true {
            if let took = state.withLock({ $0.took }) {
                return #"{"max_us":\#(Double(took.max() ?? 0) / 1000),"pings":\#(Figures(took).json)}"#
            }
            usleep(200)
        }
    }

    private static func ping(_ socket: Int32) -> UInt64? {
        let (request, began) = ([UInt8]("PING\r\n".utf8), MonotonicTime.now())
        guard write(socket, request, request.count) == request.count else { return nil }
        var answer = [UInt8](repeating: 0, count: 64)
        guard read(socket, &answer, answer.count) > 0 else { return nil }
        return MonotonicTime.now().nanoseconds - began.nanoseconds
    }

    private static func connect(_ path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < room else { throw ValidationError("\(path) is too long for a Unix socket") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard socket >= 0, result == 0 else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
        return socket
    }
}
