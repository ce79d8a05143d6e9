import NIOCore

/// The transport of the end under test; the bytes at its other side are the script's. As a socket would, it stops being
/// writable when much is unsent.
final class HostileEnd: ByteTransport, @unchecked Sendable {
    private static let high = 256 << 10

    /// The pipe of the end under test.
    let pipe: FramePipe
    private let watch: PeerWatch
    private var incoming: [UInt8] = []
    private var unsent: [ByteBuffer] = []
    private(set) var bufferedBytes = 0
    private(set) var isWritable = true
    private var isReading = true
    private var isTaking = true
    private var closesWhenSent = false
    private(set) var isClosed = false

    /// - Parameter watch: sees what the end under test sends.
    init(_ pipe: FramePipe, _ watch: PeerWatch) {
        self.pipe = pipe
        self.watch = watch
    }

    func write(_ bytes: ByteBuffer) {
        guard !isClosed else { return }
        unsent.append(bytes)
        bufferedBytes += bytes.readableBytes
        guard isWritable, bufferedBytes > Self.high else { return }
        isWritable = false
        pipe.writabilityChanged()
    }

    func writeNow(_ bytes: ByteBuffer) { write(bytes) }

    func flush() {
        guard isTaking, !isClosed else { return }
        let sent = unsent
        unsent = []
        bufferedBytes = 0
        for bytes in sent { watch.saw(bytes) }
        if !isWritable {
            isWritable = true
            pipe.writabilityChanged()
        }
        if closesWhenSent { close() }
    }

    func setReading(_ isOn: Bool) { isReading = isOn }

    func closeAfterFlush() {
        closesWhenSent = true
        flush()
        pipe.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.close() }
    }

    func close() {
        guard !isClosed else { return }
        isClosed = true
        unsent = []
        pipe.eventLoop.execute { self.pipe.transportClosed("the peer closed the connection") }
    }

    /// The script sends; it arrives with the next delivery.
    func send(_ bytes: [UInt8]) { incoming += bytes }

    /// What was sent is read, as far as the end under test reads.
    func deliver() {
        guard !incoming.isEmpty, isReading, !isClosed else { return }
        let bytes = incoming
        incoming = []
        pipe.receive(ByteBuffer(bytes: bytes))
        pipe.readComplete()
    }

    func setTaking(_ isOn: Bool) {
        isTaking = isOn
        flush()
    }
}
