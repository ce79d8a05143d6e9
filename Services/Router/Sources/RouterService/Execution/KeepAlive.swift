import BulkheadAPI
import NIOCore
import Synchronization

/// Tells the caller of a stream that its request lives while there is nothing to show: a model that thinks for a minute sends
/// nothing, and proxies on the way end connections on which nothing moves.
package final class KeepAlive: Sendable {
    private static let every = TimeAmount.seconds(15)
    private static let sign = RouterAPI.CompleteReply(events: [.init(kind: .keepalive)])

    private let replies: TypedWriter<RouterAPI.CompleteReply>
    private let eventLoop: any EventLoop
    private let timer: Mutex<Scheduled<Void>?>

    /// Begins at once.
    package init(_ replies: TypedWriter<RouterAPI.CompleteReply>, on eventLoop: any EventLoop) {
        self.replies = replies
        self.eventLoop = eventLoop
        timer = Mutex(nil)
        schedule()
    }

    /// Ends it. Must be called, or the timer holds on to the stream.
    package func stop() { timer.withLock { $0.take() }?.cancel() }

    private func schedule() {
        timer.withLock { $0 = eventLoop.scheduleTask(in: Self.every) { [weak self] in self?.fire() } }
    }

    private func fire() {
        // A caller that takes nothing at the moment needs no sign.
        replies.offer(Self.sign)
        schedule()
    }
}
