import BulkheadCore
import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// One end of a bare socket: sends bytes, collects what comes, knows when the other end has closed.
final class RawEnd: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    private struct State {
        var received = 0
        var bytes: [UInt8] = []
        var isClosed = false
        var channel: (any Channel)?
    }

    private let state = Mutex(State())
    private let script: Script?
    private let reads: Reads
    private let first: [UInt8]

    typealias Script = @Sendable (RawFrame) -> [RawFrame]

    enum Reads {
        /// Everything, and keeps it.
        case all
        /// Counts the bytes only.
        case counting
        /// What comes first, then nothing more: the socket fills up.
        case once
    }

    /// - Parameter script: answers to every frame that comes.
    init(reads: Reads = .all, first: [UInt8] = [], script: Script? = nil) {
        self.reads = reads
        self.first = first
        self.script = script
    }

    /// A loop of its own for each use, so that a busy test holds up few others.
    static var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

    /// - Parameter first: sent as soon as the connection is there; a handshake has to come within a second.
    static func connect(_ path: String, reads: Reads = .all, autoRead: Bool = true, first: [UInt8] = []) async throws -> RawEnd {
        let end = RawEnd(reads: reads, first: first)
        _ = try await ClientBootstrap(group: loop)
            .channelOption(.autoRead, value: autoRead)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(end) }
            }
            .connect(unixDomainSocketPath: path).get()
        return end
    }

    /// A server whose connections follow `script`; nil accepts and says nothing.
    static func serve(_ path: String, reads: Reads = .all, _ script: Script?) async throws -> any Channel {
        try await serve(path) { _ in RawEnd(reads: reads, script: script) }
    }

    /// A server that makes an end for each connection, by its number from 0.
    static func serve(_ path: String, _ end: @escaping @Sendable (Int) -> RawEnd) async throws -> any Channel {
        let number = Counter()
        return try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(end(number.next())) }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
    }

    func channelActive(context: ChannelHandlerContext) {
        state.withLock { $0.channel = context.channel }
        if !first.isEmpty { context.writeAndFlush(NIOAny(ByteBuffer(bytes: first)), promise: nil) }
    }
    func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.isClosed = true } }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        state.withLock { state in
            state.received += bytes.readableBytes
            if reads == .all { state.bytes += Array(bytes.readableBytesView) }
        }
        if reads == .once { try? context.channel.syncOptions?.setOption(.autoRead, value: false) }
        guard let script else { return }
        let new = RawFrame.parse(Array(bytes.readableBytesView))
        for answer in new.flatMap(script) { context.writeAndFlush(NIOAny(ByteBuffer(bytes: answer.bytes)), promise: nil) }
    }

    func send(_ bytes: [UInt8]) async throws {
        guard let channel = state.withLock({ $0.channel }) else { return }
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    func send(_ frames: RawFrame...) async throws { try await send(frames.flatMap(\.bytes)) }

    var frames: [RawFrame] { RawFrame.parse(state.withLock { $0.bytes }) }
    /// Bytes that came.
    var received: Int { state.withLock { $0.received } }
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func setReading(_ isOn: Bool) async throws {
        try await state.withLock { $0.channel }?.setOption(.autoRead, value: isOn).get()
    }

    /// The first frame of `type`, waiting for it; nil after five seconds.
    func frame(_ type: UInt8, stream: UInt32 = 0) async -> RawFrame? {
        _ = await eventually { self.frames.contains { $0.type == type && $0.stream == stream } || self.isClosed }
        return frames.first { $0.type == type && $0.stream == stream }
    }

    func close() async { try? await state.withLock { $0.channel }?.close().get() }
}

/// Counts up from 0.
final class Counter: Sendable {
    private let value = Atomic<Int>(0)
    func next() -> Int { value.add(1, ordering: .relaxed).oldValue }
    var count: Int { value.load(ordering: .relaxed) }
}

/// Waits for a condition that another task brings about; gives up after `limit`.
func eventually(_ limit: Duration = .seconds(5), _ condition: @Sendable () -> Bool) async -> Bool {
    let end = MonotonicTime.now() + limit
    while !condition() {
        guard MonotonicTime.now() < end else { return false }
        try? await RawEnd.loop.scheduleTask(in: .milliseconds(1)) {}.futureResult.get()
    }
    return true
}

/// A directory with a path short enough for sockets, removed at the end.
func withSocketDirectory<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    var template = Array("/tmp/bhXXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CallError(.internal, message: "no temporary directory: errno \(errno)") }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}
