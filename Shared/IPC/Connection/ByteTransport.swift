import NIOCore

/// What carries the bytes of a connection: a socket, or memory in tests. Used on the event loop only.
protocol ByteTransport: AnyObject {
    /// False while more is buffered than the peer takes.
    var isWritable: Bool { get }
    /// Bytes accepted by `write` that the kernel has not taken.
    var bufferedBytes: Int { get }
    func write(_ bytes: ByteBuffer)
    /// As `write`, and at once if nothing waits.
    func writeNow(_ bytes: ByteBuffer)
    func flush()
    /// Off: what comes stays with the kernel, which makes the peer wait.
    func setReading(_ isOn: Bool)
    /// Closes after what was flushed has left, at most a second later.
    func closeAfterFlush()
    func close()
}

/// The frames of a connection and its end, delivered on the event loop.
protocol FramePipeDelegate: AnyObject {
    func received(_ frame: FrameDecoder.Frame, _ pipe: FramePipe) throws(ProtocolViolation)
    /// The peer broke the protocol; `closed` follows.
    func violated(_ violation: ProtocolViolation)
    /// More may be written again.
    func writable(_ pipe: FramePipe)
    /// Exactly once; nothing follows.
    func closed(_ pipe: FramePipe, _ reason: String)
}
