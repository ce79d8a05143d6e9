import Glibc
import NIOCore
import NIOPosix

/// Turns away who connects while the process has no descriptor left: keeps one aside, gives it up to accept, closes what it
/// accepted and takes it back. Otherwise whoever connects would wait in the backlog without a word.
///
/// `@unchecked Sendable`: touched on the listener's event loop only.
final class DescriptorReserve: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = Never

    /// Connections turned away in one go; the next error, a second later, turns away more.
    private static let atOnce = 256

    private var reserve = DescriptorReserve.open()
    private let rejected: @Sendable (String) -> Void

    /// - Parameter rejected: told once for each go.
    init(rejected: @escaping @Sendable (String) -> Void) { self.rejected = rejected }

    deinit {
        if reserve >= 0 { close(reserve) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let code = (error as? IOError)?.errnoCode
        guard code == EMFILE || code == ENFILE else { return context.fireErrorCaught(error) }
        let turned = try? context.channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { turnAway($0) }
        rejected("the process has no descriptor left: \(turned ?? 0) connections were turned away; raise LimitNOFILE")
    }

    private func turnAway(_ listener: Int32) -> Int {
        if reserve >= 0 { close(reserve) }
        var count = 0
        while count < Self.atOnce {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { break }
            close(descriptor)
            count += 1
        }
        reserve = Self.open()
        return count
    }

    private static func open() -> Int32 { Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC) }
}
