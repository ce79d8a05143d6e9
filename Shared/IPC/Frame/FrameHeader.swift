import NIOCore

/// Bounds both ends of a connection agree on.
enum FrameLimits {
    static let headerBytes = 16
    /// A message longer than this travels in fragments of this size.
    static let fragmentBytes = 64 << 10
    /// Payload of one frame at most: a fragment with the head of a call and its metadata before it.
    static let payloadBytes = fragmentBytes + CallHead.fixedBytes + CallHead.metadataBytes
    /// Bytes a sender may have outstanding on one stream before the receiver took any.
    static let window = 256 << 10
    /// Charged per message beside its bytes, so that empty messages are not free.
    static let messageOverhead = 64
    static let messageBytes = 16 << 20
    /// Bytes of half-received messages on one connection at most.
    static let assemblyBytes = 64 << 20
}

/// What a frame is. A type with bit 7 set may be skipped by a peer that does not know it; any other unknown type is an error.
enum FrameType: UInt8, Sendable {
    case hello = 0x01
    case helloAck = 0x02
    /// Client: opens a stream. Call head, metadata, and the first message if `hasMessage`.
    case request = 0x03
    /// A message, or a fragment of one if `more`.
    case message = 0x04
    /// Server: ends a stream. `aux` is the status code; the payload is the reply (ok, `hasMessage`) or the error.
    case status = 0x06
    /// Client: nobody waits any more. `aux` is the reason.
    case cancel = 0x07
    /// `aux` more bytes may be sent on the stream.
    case credit = 0x08
    case ping = 0x09
    case pong = 0x0a
    /// Server: open no more streams.
    case drain = 0x0b
    /// Client: no stream will be opened after this frame.
    case drainAck = 0x0c
    case health = 0x0d
    /// The connection is over; `aux` is a `ConnectionErrorCode`, the payload a sentence.
    case error = 0x0e
}

struct FrameFlags: OptionSet, Sendable {
    let rawValue: UInt8
    static let endStream = FrameFlags(rawValue: 1)
    static let more = FrameFlags(rawValue: 2)
    static let hasMessage = FrameFlags(rawValue: 4)
    static let notProcessed = FrameFlags(rawValue: 8)
    static let known: FrameFlags = [.endStream, .more, .hasMessage, .notProcessed]
}

/// Codes of an ERROR frame.
enum ConnectionErrorCode: UInt32, Sendable {
    case protocolViolation = 1
    /// Another protocol version, or the wrong service at the other end.
    case incompatible = 2
    /// The caller is not on the list.
    case refused = 3
    case timeout = 4
}

/// The peer broke the protocol; the connection is closed, nothing else.
struct ProtocolViolation: Error, Sendable, CustomStringConvertible {
    var code = ConnectionErrorCode.protocolViolation
    let description: String
}

/// The 16 bytes before every payload, little-endian: length u32, type u8, flags u8, method u16, stream u32, aux u32.
struct FrameHeader: Sendable, Equatable {
    var length: UInt32 = 0
    var type: FrameType
    var flags: FrameFlags = []
    var method: UInt16 = 0
    var stream: UInt32 = 0
    var aux: UInt32 = 0

    @inline(__always)
    func encode(to bytes: UnsafeMutableRawPointer) {
        let low =
            UInt64(length) | UInt64(type.rawValue) << 32 | UInt64(flags.rawValue) << 40 | UInt64(method) << 48
        bytes.storeBytes(of: low.littleEndian, as: UInt64.self)
        bytes.storeBytes(of: (UInt64(stream) | UInt64(aux) << 32).littleEndian, toByteOffset: 8, as: UInt64.self)
    }
}
