import BulkheadCore
import Glibc
import NIOCore
import NIOPosix

/// How a link reaches its peer.
enum LinkDialer: Sendable {
    case socket(path: String, owners: [UInt32])
    /// A server in this process.
    case memory(ServerCore)

    /// Opens a connection for `pipe`, which hears of it by `attach`. `failed` is called on the loop when there is none.
    func dial(_ pipe: FramePipe, failed: @escaping @Sendable (String) -> Void) {
        switch self {
        case .memory(let server): MemoryTransport.connect(pipe, server)
        case .socket(let path, let owners):
            if let problem = Self.distrust(path, owners) { return failed(problem) }
            Self.connect(path, pipe, until: .now() + Self.backlogTime, failed)
        }
    }

    /// A peer whose backlog is full is busy, not gone: it gets this long to accept.
    private static let backlogTime: Duration = .seconds(1)

    private static func connect(
        _ path: String, _ pipe: FramePipe, until end: MonotonicTime, _ failed: @escaping @Sendable (String) -> Void
    ) {
        let bootstrap = ClientBootstrap(group: pipe.eventLoop)
            .connectTimeout(.seconds(1))
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SocketTransport(pipe: pipe))
                }
            }
        bootstrap.connect(unixDomainSocketPath: path).whenFailure { error in
            // A non-blocking connect to a full backlog does not wait, it says EAGAIN.
            if (error as? IOError)?.errnoCode == EAGAIN, MonotonicTime.now() < end {
                pipe.eventLoop.scheduleTask(in: .milliseconds(.random(in: 5 ... 50))) { connect(path, pipe, until: end, failed) }
                return
            }
            let cause = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
            failed("cannot connect to the peer's socket: \(cause)")
        }
    }

    /// Why the socket or its directory is not to be trusted; nil when it is, or when it is not there yet.
    private static func distrust(_ path: String, _ owners: [UInt32]) -> String? {
        if let problem = SocketPath.problem(path) { return problem }
        var status = stat()
        guard stat(SocketPath.directory(path), &status) == 0 else {
            return errno == ENOENT ? nil : "cannot look at the socket's directory: \(String(cString: strerror(errno)))"
        }
        guard owners.contains(status.st_uid) else {
            return "the socket's directory belongs to uid \(status.st_uid), which is not allowed to be the peer"
        }
        guard status.st_mode & S_IWOTH == 0 else {
            return "anyone may write to the socket's directory and put another socket there; run chmod o-w on it"
        }
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFSOCK else { return nil }
        let isLink = status.st_mode & S_IFMT == S_IFLNK
        return "there is a \(isLink ? "symbolic link" : "file that is no socket") at the socket's path; move it away"
    }
}
