import ArgumentParser
import BulkheadCore
import Glibc

/// The floor: blocking reads and writes of equal payload on a Unix socket, nothing else.
struct RawServe: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Echo messages of --size bytes on a bare socket until killed.")

    @Argument(help: "Path of the socket.") var socket: String
    @Option(help: "Bytes of a message.") var size = 1024

    func run() throws {
        unlink(socket)
        let listener = try RawSocket.open()
        try RawSocket.withAddress(socket) { bind(listener, $0, $1) }
        guard listen(listener, 8) == 0 else { throw ValidationError("cannot listen: \(String(cString: strerror(errno)))") }
        print("ready")
        fflush(nil)
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { throw ValidationError("cannot accept: \(String(cString: strerror(errno)))") }
            var buffer = [UInt8](repeating: 0, count: size)
            while RawSocket.read(connection, &buffer), RawSocket.write(connection, buffer) {}
            close(connection)
        }
    }
}

struct RawPing: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ping-pong over a bare socket and print {p50_us, p99_us, calls_per_s}.")

    @Argument(help: "Path of the socket.") var socket: String
    @Option(help: "Round trips to measure.") var count = 50_000
    @Option(help: "Bytes of a message.") var size = 1024

    func run() throws {
        let connection = try RawSocket.open()
        defer { close(connection) }
        try RawSocket.withAddress(socket) { connect(connection, $0, $1) }
        var buffer = [UInt8](repeating: 7, count: size)
        var took: [UInt64] = []
        took.reserveCapacity(count)
        let start = MonotonicTime.now()
        for _ in 0 ..< count {
            let sent = MonotonicTime.now()
            guard RawSocket.write(connection, buffer), RawSocket.read(connection, &buffer) else {
                throw ValidationError("the peer closed the connection")
            }
            took.append(MonotonicTime.now().nanoseconds - sent.nanoseconds)
        }
        print(Measurement(nanoseconds: took, seconds: (MonotonicTime.now() - start).milliseconds / 1000).json)
    }
}

enum RawSocket {
    static func open() throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw ValidationError("cannot make a socket: \(String(cString: strerror(errno)))") }
        return descriptor
    }

    static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) throws {
        guard path.utf8.count <= 107 else { throw ValidationError("the socket path is longer than 107 bytes") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        guard result == 0 else { throw ValidationError("cannot use \(path): \(String(cString: strerror(errno)))") }
    }

    static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let result = bytes.withUnsafeBytes { all in
                send(descriptor, all.baseAddress.map { $0 + sent }, all.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard result > 0 else { return false }
            sent += result
        }
        return true
    }

    static func read(_ descriptor: Int32, _ bytes: inout [UInt8]) -> Bool {
        var got = 0
        while got < bytes.count {
            let count = bytes.count
            let result = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + got }, count - got, 0) }
            guard result > 0 else { return false }
            got += result
        }
        return true
    }
}
