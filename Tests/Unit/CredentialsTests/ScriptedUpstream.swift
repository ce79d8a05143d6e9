import Foundation
import Glibc

/// An HTTP server on a free port of this machine that hands each connection to a script, on a thread of its own.
///
/// `@unchecked Sendable`: its descriptor is written in `init` only.
final class ScriptedUpstream: @unchecked Sendable {
    let port: UInt16
    private let listener: Int32

    /// - Parameter script: reads and writes one connection, which is closed when it returns.
    init(_ script: @escaping @Sendable (UpstreamConnection) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRNOTAVAIL) }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread {
            while true {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0 else { return }
                Thread.detachNewThread {
                    script(UpstreamConnection(accepted))
                    close(accepted)
                }
            }
        }
    }

    deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}

/// One connection, as its script sees it.
final class UpstreamConnection {
    private let descriptor: Int32
    private var read: [UInt8] = []

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// The next request's head; nil when the client closed.
    func head() -> String? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = Data(read).range(of: Data(end)) {
                let head = String(decoding: read[..<range.lowerBound], as: UTF8.self)
                read.removeFirst(range.upperBound)
                return head
            }
            guard more() else { return nil }
        }
    }

    /// Bytes until `text` has been seen, with it; nil when the client closed before.
    func body(until text: String) -> String? {
        while true {
            if let range = Data(read).range(of: Data(text.utf8)) {
                let body = String(decoding: read[..<range.upperBound], as: UTF8.self)
                read.removeFirst(range.upperBound)
                return body
            }
            guard more() else { return nil }
        }
    }

    /// The body that a head announces; nil when the client closed before.
    func body(of head: String) -> String? {
        let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        let count = line.flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        while read.count < count { guard more() else { return nil } }
        defer { read.removeFirst(count) }
        return String(decoding: read[..<count], as: UTF8.self)
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) } }

    /// A whole answer.
    func answer(_ status: String, _ headers: [String] = [], _ body: String) {
        write(
            (["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers).joined(separator: "\r\n") + "\r\n\r\n" + body
        )
    }

    /// One chunk of a chunked body; empty: its end.
    func chunk(_ text: String) { write("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n") }

    /// Passes bytes both ways to a server of this machine, until either side ends.
    func relay(to port: Int) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return }
        let client = descriptor
        Thread.detachNewThread { Self.copy(server, client) }
        Self.copy(client, server)
    }

    private static func copy(_ from: Int32, _ to: Int32) {
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(from, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            _ = send(to, chunk, count, Int32(MSG_NOSIGNAL))
        }
        shutdown(to, Int32(SHUT_RDWR))
    }

    /// Waits until the client closes.
    func untilClosed() { while more() {} }

    private func more() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        read += chunk[..<count]
        return true
    }
}
