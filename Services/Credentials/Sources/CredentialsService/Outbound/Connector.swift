import BulkheadConfig
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import X509

/// Makes connections: resolve, vet every address, connect to a vetted one, look who is there, then proxy and TLS. Not a byte is
/// sent to a peer that was not vetted.
///
/// With a proxy it is the proxy that resolves: only an origin that is itself an address is vetted, and it is the certificate
/// that says whom the connection leads to. The proxy's own address is the operator's word.
///
/// `@unchecked Sendable`: touched on its loop only.
final class Connector: @unchecked Sendable {
    enum Connected: Sendable {
        case http1(HTTP1Connection)
        case http2(HTTP2Connection)
    }

    /// An address gets this long at least, where several share the time.
    private static let leastShare = TimeAmount.milliseconds(250)

    private let eventLoop: any EventLoop
    private let trust: TrustSettings
    private let resolver: HostResolver
    private let proxy: AbsoluteURL?
    /// What the proxy is shown. Changes with the secrets, from any thread.
    let access = Mutex(ProxyAccess.open)
    private let peer: @Sendable (any Channel) -> SocketAddress?
    private var contexts: [TLSFloor: EventLoopFuture<NIOSSLContext>] = [:]
    private var roots: EventLoopFuture<CertificateStore>?

    /// - Parameter peer: who is at the other end of a connection, as the kernel says (`getpeername`).
    init(
        _ eventLoop: any EventLoop, _ trust: TrustSettings, _ resolver: HostResolver, proxy: AbsoluteURL?,
        peer: @escaping @Sendable (any Channel) -> SocketAddress?
    ) {
        self.eventLoop = eventLoop
        self.trust = trust
        self.resolver = resolver
        self.proxy = proxy
        self.peer = peer
    }

    func shutdown() { resolver.shutdown() }

    /// On the loop.
    func connect(to owner: OriginConnections, within timeout: Duration) -> EventLoopFuture<Connected> {
        let end = NIODeadline.now() + TimeAmount(timeout)
        let origin = owner.origin
        return addresses(of: origin).assumeIsolated().flatMap { addresses in
            self.socket(to: addresses, until: end)
        }.flatMap { channel in
            // Whatever hangs in proxy or TLS ends with its time.
            let timer = self.eventLoop.assumeIsolated().scheduleTask(deadline: end) { channel.close(promise: nil) }
            return self.opened(channel, owner).assumeIsolated().map { connected in
                timer.cancel()
                return connected
            }.flatMapError { error in
                timer.cancel()
                channel.close(promise: nil)
                return self.eventLoop.makeFailedFuture(NIODeadline.now() < end ? error : UpstreamFault.connectTimeout)
            }.nonisolated()
        }.nonisolated()
    }

    // MARK: addresses

    private func addresses(of origin: Origin) -> EventLoopFuture<[SocketAddress]> {
        if let proxy {
            if let trouble = access.withLock({ $0.trouble }) { return eventLoop.makeFailedFuture(trouble) }
            return eventLoop.makeCompletedFuture { try AddressVetting.check(unresolved: origin) }.flatMap {
                self.resolver.resolve(proxy.host, port: proxy.effectivePort ?? 80)
            }
        }
        return resolver.resolve(origin.host, port: origin.port).flatMapThrowing { addresses in
            try AddressVetting.check(addresses, of: origin)
            return addresses
        }
    }

    /// Connects to the first address that answers, each within its share of the time.
    private func socket(to addresses: [SocketAddress], until end: NIODeadline) -> EventLoopFuture<any Channel> {
        guard let first = addresses.first else { return eventLoop.makeFailedFuture(UpstreamFault.unresolved) }
        let left = end - .now()
        guard left > .nanoseconds(0) else { return eventLoop.makeFailedFuture(UpstreamFault.connectTimeout) }
        let share = addresses.count == 1 ? left : max(Self.leastShare, .nanoseconds(left.nanoseconds / Int64(addresses.count)))
        let attempt = connect(to: first, within: min(left, share))
        guard addresses.count > 1 else { return attempt }
        return attempt.flatMapError { _ in self.socket(to: Array(addresses.dropFirst()), until: end) }
    }

    private func connect(to address: SocketAddress, within share: TimeAmount) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(share)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(to: address)
            .flatMapThrowing { channel in
                guard self.peer(channel) == address else {
                    channel.close(promise: nil)
                    throw UpstreamFault.otherPeer
                }
                return channel
            }
    }

    // MARK: what stands on the connection

    private func opened(_ channel: any Channel, _ owner: OriginConnections) -> EventLoopFuture<Connected> {
        let edge = ConnectionEdge(channel)
        return eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(edge)
            try channel.syncOptions?.setOption(.autoRead, value: true)
        }.flatMap {
            self.tunnel(channel, owner.origin)
        }.flatMap {
            owner.origin.isTLS ? self.encrypted(channel, owner.origin) : self.eventLoop.makeSucceededFuture(nil)
        }.flatMapThrowing { version in
            guard channel.isActive else { throw UpstreamFault.closed }
            if version == "h2" { return .http2(try HTTP2Connection.add(to: channel, owner)) }
            return .http1(try HTTP1Connection.add(to: channel, edge, owner))
        }
    }

    private func tunnel(_ channel: any Channel, _ origin: Origin) -> EventLoopFuture<Void> {
        guard proxy != nil else { return eventLoop.makeSucceededVoidFuture() }
        let opened = eventLoop.makePromise(of: Void.self)
        let tunnel = ProxyTunnel(access.withLock { $0 }, to: origin, opened: opened)
        do {
            try channel.pipeline.syncOperations.addHandler(tunnel)
        } catch {
            opened.fail(error)
        }
        return opened.futureResult.flatMap { channel.pipeline.syncOperations.removeHandler(tunnel) }
    }

    /// - Returns: the protocol agreed on, nil when the other side does not say.
    private func encrypted(_ channel: any Channel, _ origin: Origin) -> EventLoopFuture<String?> {
        let isAddress = (try? SocketAddress(ipAddress: origin.host, port: 0)) != nil
        // TLS would compare the certificate with the address of the proxy.
        let isOwn = !origin.pins.isEmpty || isAddress && proxy != nil
        return context(origin.minimumTLS).flatMap { context in
            guard isOwn else {
                return self.handshake(channel) {
                    try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : origin.name)
                }
            }
            return self.trustedRoots().flatMap { roots in
                self.handshake(channel, context, ChainVerification(roots, origin, self.eventLoop), isAddress ? nil : origin.name)
            }
        }
    }

    private func handshake(
        _ channel: any Channel, _ context: NIOSSLContext, _ verification: ChainVerification, _ name: String?
    ) -> EventLoopFuture<String?> {
        handshake(channel) {
            try NIOSSLClientHandler(
                context: context, serverHostname: name,
                customVerificationCallbackWithMetadata: { verification.verify($0, $1) })
        }.flatMapError { error in
            // Nobody may have asked.
            verification.refusal.succeed(nil)
            return verification.refusal.futureResult.flatMapThrowing { throw $0 ?? error }
        }
    }

    private func handshake(_ channel: any Channel, _ make: () throws -> NIOSSLClientHandler) -> EventLoopFuture<String?> {
        let done = eventLoop.makePromise(of: String?.self)
        let watch = HandshakeWatch(done)
        do {
            guard channel.isActive else { throw UpstreamFault.closed }
            try channel.pipeline.syncOperations.addHandler(watch)
            try channel.pipeline.syncOperations.addHandler(try make(), position: .before(watch))
        } catch {
            done.fail(error)
        }
        return done.futureResult.flatMap { version in
            channel.pipeline.syncOperations.removeHandler(watch).map { version }
        }
    }

    // MARK: read once, off the loop

    private func context(_ floor: TLSFloor) -> EventLoopFuture<NIOSSLContext> {
        if let context = contexts[floor] { return context }
        let context = resolver.blocking { [trust] in try trust.context(floor) }
        contexts[floor] = context
        context.assumeIsolated().whenFailure { _ in self.contexts[floor] = nil }
        return context
    }

    private func trustedRoots() -> EventLoopFuture<CertificateStore> {
        if let roots { return roots }
        let roots = resolver.blocking { [trust] in try trust.roots() }
        self.roots = roots
        return roots
    }
}
