import DequeModule
import NIOCore

// States of a connection: open → closed. What waits when it closes is told so, in the order it was sent.

/// One connection: commands out, replies in, strictly in order. A batch of commands leaves in one write.
///
/// `@unchecked Sendable`: touched on its event loop only.
final class RedisConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Completion = @Sendable (Result<[RedisReply], RedisFailure>) -> Void

    /// A batch that waits for replies. After its time is over it stays, so that its late replies are not taken for another's.
    private struct Batch {
        let id: UInt64
        var missing: Int
        var replies: [RedisReply] = []
        let bytes: Int
        var done: Completion?
        var timer: Scheduled<Void>?
    }

    /// Batches and bytes that wait for Redis at most; beyond it `busy`.
    static let mostBatches = 1024
    static let mostBytes = 32 << 20

    private let channel: any Channel
    private let parser = ReplyParser()
    private var waiting: Deque<Batch> = []
    private var waitingBytes = 0
    private var nextID: UInt64 = 0
    private var isClosed = false
    /// Succeeds when the connection has ended.
    var closed: EventLoopFuture<Void> { channel.closeFuture }

    init(_ channel: any Channel) { self.channel = channel }

    /// Sends a batch; `done` is called once, on the loop: with as many replies as commands, or why there are none.
    func send(_ commands: [RedisCommand], within limit: Duration, _ done: @escaping Completion) {
        guard !isClosed else { return done(.failure(.lost)) }
        let size = commands.reduce(0) { $0 + $1.size }
        guard waiting.count < Self.mostBatches, waitingBytes + size <= Self.mostBytes else { return done(.failure(.busy)) }
        var buffer = channel.allocator.buffer(capacity: size + 32 * commands.count)
        do {
            for command in commands { try command.write(into: &buffer) }
        } catch {
            return done(.failure(.garbled))
        }
        nextID += 1
        let id = nextID
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(limit)) { self.expire(id) }
        waiting.append(Batch(id: id, missing: commands.count, bytes: size, done: done, timer: timer))
        waitingBytes += size
        channel.writeAndFlush(buffer, promise: nil)
    }

    /// Ends the connection. What waits is told `lost`.
    func close() { channel.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        do {
            try parser.feed(unwrapInboundIn(data))
            while let reply = try parser.next() { take(reply) }
        } catch {
            end(.garbled)
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.lost)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { end(.lost) }

    private func take(_ reply: RedisReply) {
        guard !waiting.isEmpty else { return close() }  // A word nobody asked for: what follows could be anybody's.
        waiting[0].replies.append(reply)
        waiting[0].missing -= 1
        guard waiting[0].missing == 0 else { return }
        let batch = waiting.removeFirst()
        waitingBytes -= batch.bytes
        batch.timer?.cancel()
        batch.done?(.success(batch.replies))
    }

    private func expire(_ id: UInt64) {
        guard let first = waiting.first, id >= first.id else { return }
        let done = waiting[Int(id - first.id)].done.take()
        done?(.failure(.timeout))
    }

    private func end(_ failure: RedisFailure) {
        guard !isClosed else { return }
        isClosed = true
        let batches = waiting
        waiting = []
        waitingBytes = 0
        for batch in batches {
            batch.timer?.cancel()
            batch.done?(.failure(failure))
        }
    }
}

extension RedisConnection {
    /// Sends a batch and waits for its replies.
    func run(_ commands: [RedisCommand], within limit: Duration) async throws(RedisFailure) -> [RedisReply] {
        let result = await withCheckedContinuation { continuation in
            channel.eventLoop.execute { self.send(commands, within: limit) { continuation.resume(returning: $0) } }
        }
        return try result.get()
    }
}
