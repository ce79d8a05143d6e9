import BulkheadCore
import BulkheadWire
import NIOCore

// The messages of `ipc.proto`, with their bounds: what is sent keeps them, what is received is checked against them.

/// The first words of both ends.
typealias Hello = IPCMessages.Hello

extension Hello {
    static let magic: UInt32 = 0x484b_4c42
    static let major: UInt32 = 1
    static let minor: UInt32 = 0
    private static let nameBytes = 256
    private static let instanceBytes = 16
    private static let methodCount = 4096
    private static let schemaCount = 256

    /// What this process says of itself; a server adds its methods, a client the peer it looks for.
    init(service: String, instance: [UInt8], maxMessageBytes: Int, schemas: [ServiceSchema]) {
        self.init(
            magic: Self.magic, major: Self.major, minor: Self.minor, service: service, instance: ByteBuffer(bytes: instance),
            pid: Int(ProcessInstance.pid), maxFrame: UInt32(FrameLimits.payloadBytes),
            maxMessage: UInt32(clamping: maxMessageBytes), monotonicNS: MonotonicTime.now().nanoseconds,
            schemas: schemas.map(\.fingerprint))
    }

    /// - Throws: `ProtocolViolation` with code `incompatible` for another major version; the rest is then not looked at.
    static func received(_ payload: ByteBuffer) throws(ProtocolViolation) -> Hello {
        let hello: Hello = try decode(payload, "handshake")
        guard hello.magic == magic else { throw ProtocolViolation(description: "handshake without the protocol's magic number") }
        guard hello.major == major else {
            throw ProtocolViolation(
                code: .incompatible,
                description:
                    "peer speaks protocol \(hello.major).\(hello.minor), this process \(major).\(minor); update the older")
        }
        guard hello.isWithinBounds else { throw ProtocolViolation(description: "a field of the handshake is too long") }
        return hello
    }

    private var isWithinBounds: Bool {
        service.utf8.count <= Self.nameBytes && peer.utf8.count <= Self.nameBytes
            && instance?.readableBytes == Self.instanceBytes && schemas.count <= Self.schemaCount
            && methods.count <= Self.methodCount && methods.allSatisfy { $0.name.utf8.count <= Self.nameBytes }
            && forms.count <= Self.schemaCount
    }
}

/// The payload of a STATUS frame that is not ok. The code stands in the frame's `aux`, not-processed in its flags.
extension IPCMessages.Failure {
    private static let wordBytes = 128
    private static let messageBytes = 4096
    private static let detailBytes = 1024
    /// Nobody waits longer before trying again; also keeps a hostile number harmless.
    private static let longestRetryMS = 86_400_000

    init(_ error: CallError) {
        self.init(
            reason: error.reason.prefix(bytes: Self.wordBytes), message: error.message.prefix(bytes: Self.messageBytes),
            retryAfterMS: error.retryAfter.map { max(-1, Int($0.nanosecondsClamped / 1_000_000)) },
            origin: error.origin?.prefix(bytes: Self.wordBytes),
            // Half a detail is none.
            detail: error.detail.isEmpty || error.detail.count > Self.detailBytes ? nil : ByteBuffer(bytes: error.detail))
    }

    static func received(_ header: FrameHeader, _ payload: ByteBuffer) throws(ProtocolViolation) -> CallError {
        guard let code = StatusCode(rawValue: header.aux), code != .ok else {
            throw ProtocolViolation(description: "unknown status code \(header.aux)")
        }
        let failure: Self = try decode(payload, "status")
        guard failure.reason.utf8.count <= wordBytes, (failure.origin ?? "").utf8.count <= wordBytes,
            failure.message.utf8.count <= messageBytes, failure.retryAfterMS ?? 0 >= -1,
            failure.detail?.readableBytes ?? 0 <= detailBytes
        else { throw ProtocolViolation(description: "a field of a status with code \(header.aux) is out of bounds") }
        return CallError(
            code, reason: failure.reason, message: failure.message,
            retryAfter: failure.retryAfterMS.map { .milliseconds(min($0, longestRetryMS)) },
            notProcessed: header.flags.contains(.notProcessed), origin: failure.origin,
            detail: failure.detail.map { Array($0.readableBytesView) } ?? [])
    }
}

extension IPCMessages.Health {
    private static let reasonBytes = 1024
    /// Names of stores, and the bytes of one.
    private static let mostStores = 4
    private static let storeBytes = 32

    init(_ health: PeerHealth) {
        self.init(
            state: health.state.rawValue, reason: health.reason.prefix(bytes: Self.reasonBytes),
            failingStores: Array(health.failingStores.prefix(Self.mostStores)))
    }

    static func received(_ payload: ByteBuffer) throws(ProtocolViolation) -> PeerHealth {
        let health: Self = try decode(payload, "health")
        guard let state = PeerHealth.State(rawValue: health.state), health.reason.utf8.count <= reasonBytes else {
            throw ProtocolViolation(description: "unknown health or a reason beyond \(reasonBytes) bytes")
        }
        guard health.failingStores.count <= mostStores, health.failingStores.allSatisfy({ $0.utf8.count <= storeBytes }) else {
            throw ProtocolViolation(description: "more than \(mostStores) failing stores, or a name beyond \(storeBytes) bytes")
        }
        return PeerHealth(state: state, reason: health.reason, failingStores: health.failingStores)
    }
}

/// Decodes what a hostile peer may have sent; libprotobuf-c sees it only after it was scanned.
private func decode<Message: WireMessage>(_ payload: ByteBuffer, _ what: String) throws(ProtocolViolation) -> Message {
    do {
        return try Message.decoded(payload)
    } catch {
        throw ProtocolViolation(description: "malformed \(what): \(error)")
    }
}

extension String {
    /// The longest beginning of at most `limit` bytes that does not end within a character's encoding.
    fileprivate func prefix(bytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var cut = utf8.prefix(limit)
        while !cut.isEmpty {
            if let text = String(cut) { return text }
            cut = cut.dropLast()
        }
        return ""
    }
}
