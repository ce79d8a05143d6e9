import Glibc
import NIOCore
import NIOPosix

/// All addresses of a host with the port in them; throws when there are none. Blocks.
package typealias HostLookup = @Sendable (_ host: String, _ port: Int) throws -> [SocketAddress]

/// Resolves names on threads of its own, so that a mute name server holds up nothing else. Answers are kept briefly; one that
/// is too old is never used, not even when the name server fails.
///
/// `@unchecked Sendable`: touched on its loop only, but for `lookup`, which its threads call.
final class HostResolver: @unchecked Sendable {
    private struct Answer {
        var addresses: [SocketAddress]
        var end: NIODeadline
    }

    /// A mute name server holds a thread for up to 10 s.
    private static let threads = 4
    private static let maxWaiting = 128
    private static let maxKept = 256

    private let eventLoop: any EventLoop
    private let lookup: HostLookup
    private let keeps: TimeAmount
    private let pool = NIOThreadPool(numberOfThreads: HostResolver.threads)
    private var isRunning = false
    private var kept: [String: Answer] = [:]
    private var underWay: [String: EventLoopFuture<[SocketAddress]>] = [:]

    /// - Parameter keeps: how long an answer is used.
    init(_ eventLoop: any EventLoop, keeps: TimeAmount, lookup: @escaping HostLookup) {
        self.eventLoop = eventLoop
        self.keeps = keeps
        self.lookup = lookup
    }

    /// On the loop.
    func resolve(_ host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        if let literal = try? SocketAddress(ipAddress: host, port: port) { return eventLoop.makeSucceededFuture([literal]) }
        let key = "\(host):\(port)"
        if let answer = kept[key] {
            if NIODeadline.now() < answer.end { return eventLoop.makeSucceededFuture(answer.addresses) }
            kept[key] = nil
        }
        if let future = underWay[key] { return future }
        guard underWay.count < Self.maxWaiting else { return eventLoop.makeFailedFuture(UpstreamFault.resolverBusy) }
        let future = asked(host, port)
        underWay[key] = future
        future.assumeIsolated().whenComplete { self.keep($0, key) }
        return future
    }

    /// Runs other blocking work that connecting needs.
    func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) -> EventLoopFuture<Value> {
        if !isRunning {
            isRunning = true
            pool.start()
        }
        return pool.runIfActive(eventLoop: eventLoop, work)
    }

    /// Threads end after what they are doing.
    func shutdown() {
        guard isRunning else { return }
        pool.shutdownGracefully(queue: .global()) { _ in }
    }

    private func asked(_ host: String, _ port: Int) -> EventLoopFuture<[SocketAddress]> {
        let lookup = lookup
        return blocking {
            let addresses = try lookup(host, port)
            guard !addresses.isEmpty else { throw UpstreamFault.unresolved }
            return addresses
        }
    }

    private func keep(_ result: Result<[SocketAddress], any Error>, _ key: String) {
        underWay[key] = nil
        guard case .success(let addresses) = result else { return }
        if kept.count >= Self.maxKept { kept.removeAll() }
        kept[key] = Answer(addresses: addresses, end: .now() + keeps)
    }

    /// The system's resolver: hosts file, name servers.
    static let system: HostLookup = { host, port in
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0 else { throw UpstreamFault.unresolved }
        defer { freeaddrinfo(found) }
        return sequence(first: found) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap { item in
            guard let item, let address = item.pointee.ai_addr else { return nil }
            let raw = UnsafeRawPointer(address)
            switch item.pointee.ai_family {
            case AF_INET: return SocketAddress(raw.loadUnaligned(as: sockaddr_in.self))
            case AF_INET6: return SocketAddress(raw.loadUnaligned(as: sockaddr_in6.self))
            default: return nil
            }
        }
    }
}
