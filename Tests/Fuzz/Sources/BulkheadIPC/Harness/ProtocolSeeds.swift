import BulkheadCore
import BulkheadWire
import NIOCore

/// Inputs to begin with, made by the product's own encoders: by target, then by file name.
package enum ProtocolSeeds {
    private static let late = MonotonicTime(nanoseconds: 1 << 60)

    /// The seeds of all targets but `messages`.
    package static func all() throws -> [String: [String: [UInt8]]] {
        let streams = try streams()
        // The second form says what metadata there is: three fields of each limit's length.
        var heads = heads().mapValues { [0] + $0 }
        heads["built"] = [128] + [UInt8](repeating: 9, count: 16) + [1, 0x61, 4, 2, 0x62, 4, 3, 0x63, 7, 4, 0, 1]
        var frames: [String: [UInt8]] = [:]
        for (name, bytes) in streams {
            frames["\(name)-whole"] = [0] + bytes
            // Pieces of 1, 16, 3 and 640 bytes in turn.
            frames["\(name)-pieces"] = [4, 0, 15, 2, 137] + bytes
        }
        return ["frames": frames, "head": heads, "server": clientScripts, "client": try serverScripts()]
    }

    private static func streams() throws -> [String: [UInt8]] {
        var hello = Hello(service: "edge", instance: Array(0 ..< 16), maxMessageBytes: 16 << 20, schemas: [])
        hello.peer = "router"
        hello.pid = 1
        hello.monotonicNS = 1
        var ack = Hello(service: "router", instance: Array(0 ..< 16), maxMessageBytes: 16 << 20, schemas: [])
        ack.pid = 2
        ack.monotonicNS = 2
        ack.methods = [TestService.echo, TestService.chat, TestService.list].map { IPCMessages.MethodEntry($0) }
        let failure = IPCMessages.Failure(
            CallError(.unavailable, reason: "link_lost", message: "gone", retryAfter: .seconds(1), origin: "router"))
        let request = Array(ByteBuffer(bytes: heads()["full"] ?? []).readableBytesView) + Array("message".utf8)
        let client = [
            frame(FrameHeader(type: .hello), try bytes(hello)),
            frame(FrameHeader(type: .request, flags: [.hasMessage, .endStream], method: 1, stream: 1), request),
            frame(FrameHeader(type: .message, flags: [.hasMessage, .more], stream: 1, aux: 300), [1, 2, 3]),
            frame(FrameHeader(type: .credit, stream: 1, aux: 32_768), []), frame(FrameHeader(type: .cancel, stream: 1), []),
            frame(FrameHeader(type: .ping), RawFrame.little(UInt64(7))), frame(FrameHeader(type: .drainAck), []),
        ]
        let server = [
            frame(FrameHeader(type: .helloAck), try bytes(ack)),
            frame(FrameHeader(type: .health), try bytes(IPCMessages.Health(PeerHealth(state: .ready)))),
            frame(FrameHeader(type: .status, flags: [.endStream, .hasMessage], stream: 1), Array("reply".utf8)),
            frame(FrameHeader(type: .status, flags: .endStream, stream: 3, aux: 14), try bytes(failure)),
            frame(FrameHeader(type: .drain), []), frame(FrameHeader(type: .error, aux: 1), Array("no".utf8)),
        ]
        // A type of a later version that may be passed over.
        let later = RawFrame(type: 0x91, flags: 0xff, payload: [1, 2, 3]).bytes
        return ["client": Array(client.joined()), "server": Array(server.joined()), "later": later + client[5] + later]
    }

    private static func bytes(_ message: some WireMessage) throws -> [UInt8] { Array(try message.encoded().readableBytesView) }

    private static func frame(_ header: FrameHeader, _ payload: [UInt8]) -> [UInt8] {
        var header = header
        header.length = UInt32(payload.count)
        var bytes = [UInt8](repeating: 0, count: FrameLimits.headerBytes)
        bytes.withUnsafeMutableBytes { if let start = $0.baseAddress { header.encode(to: start) } }
        return bytes + payload
    }

    private static func heads() -> [String: [UInt8]] {
        let trace = TraceContext(traceHigh: 1, traceLow: 2, span: 3, flags: 1)
        let metadata: [String: CallMetadata] = [
            "bare": CallMetadata(), "traced": CallMetadata(trace: trace),
            "full": CallMetadata(requestID: "req-1", trace: trace, tenant: "acme", user: "Grüße"),
            "longest": CallMetadata(
                requestID: String(repeating: "r", count: 128), tenant: String(repeating: "t", count: 128),
                user: String(repeating: "u", count: 256)),
        ]
        return metadata.mapValues { metadata in
            var buffer = ByteBuffer()
            let head = CallHead(deadline: late, sent: MonotonicTime(nanoseconds: 1), metadata: metadata, isIdempotent: true)
            head.encode(into: &buffer, bytes: CallHead.encodedBytes(metadata) ?? CallHead.fixedBytes)
            return Array(buffer.readableBytesView)
        }
    }
}

// Steps of `HostileScript`, by their bytes.
extension ProtocolSeeds {
    private static let (greet, deliver, drainAck, repeatLast): ([UInt8], [UInt8], [UInt8], UInt8) = ([2, 0], [12], [14], 13)
    private static let (leave, stopTaking, goOnTaking): ([UInt8], [UInt8], [UInt8]) = ([10], [9, 0], [9, 1])

    /// A request for `method`, deadline in 30 s, with `flags` and `size` out of the script's tables.
    private static func request(_ method: UInt8, flags: UInt8 = 0, size: UInt8 = 4) -> [UInt8] { [3, method, 6, flags, size] }
    private static func message(flags: UInt8, aux: UInt8 = 0, size: UInt8 = 4, stream: UInt8 = 0) -> [UInt8] {
        [4, flags, stream, aux, size]
    }
    private static func pass(_ wait: UInt8) -> [UInt8] { [8, wait] }
    private static func act(_ choice: UInt8) -> [UInt8] { [11, choice] }

    private static var clientScripts: [String: [UInt8]] {
        let every = (0 ..< 8).flatMap { request($0) + deliver + pass(3) }
        let talk = request(1, flags: 1) + message(flags: 3) + message(flags: 4) + deliver + pass(0)
        let fragments = message(flags: 5, aux: 13, size: 13) + message(flags: 5, aux: 11, size: 13) + message(flags: 3, size: 5)
        return [
            "each-method": greet + every, "talk": greet + talk,
            "fragments": greet + request(1, flags: 1) + fragments + deliver + [6, 0] + deliver,
            "large-unary": greet + request(0, flags: 2, size: 0) + fragments + deliver,
            "slow-reader": greet + request(3) + stopTaking + deliver + pass(5) + goOnTaking + [5, 0, 12] + deliver,
            "drained": greet + request(4) + deliver + act(1) + drainAck + deliver + pass(8),
            "gone": greet + request(4) + request(5, flags: 1) + deliver + leave, "silent": pass(7),
            "flood": greet
                + request(4) + [repeatLast, 40] + request(2) + deliver + [7, 0, 200, repeatLast, 63] + deliver,
            "metadata": greet + [3, 8, 6, 0, 2, 9, 1, 2, 0, 0x61, 0x62, 2, 1, 0, 0x63] + deliver,
        ]
    }

    private static func serverScripts() throws -> [String: [UInt8]] {
        // An odd greeting: other hashes, and the schema it has instead.
        var hello = Hello()
        var form = IPCMessages.SchemaForm(TestService.schema)
        // Names that nothing is looked up by: the script takes at most 255 bytes.
        form.fingerprint = ""
        for place in form.messages.indices {
            form.messages[place].name = ""
            for field in form.messages[place].fields.indices { form.messages[place].fields[field].name = "" }
        }
        hello.forms = [form]
        let forms = try bytes(hello)
        let skewed: [UInt8] = [2, 0xf0, UInt8(clamping: forms.count)] + forms
        let open = greet + deliver
        let end: [UInt8] = [3, 0, 0, 0]
        return [
            "skewed": skewed + deliver + act(0x80) + act(0x82) + [3, 0, 0, 1, 0, 4] + deliver,
            "credit-most": open + act(0x84) + [5, 0, 18] + deliver,
            "answers": open + act(0x80) + [3, 0, 0, 1, 0, 4] + deliver,
            "list": open + act(0x82) + message(flags: 3) + message(flags: 5, aux: 13, size: 13) + message(flags: 3) + deliver
                + end,
            "talk": open + act(0x84) + [5, 0, 8] + message(flags: 3) + deliver + end + deliver,
            "credit": open + act(0x85) + pass(3) + [5, 0, 11] + deliver + [5, 0, 12] + deliver + end,
            "fails": open + act(0xc0) + [3, 4, 1, 2, 0x6e, 0x6f, 14, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0] + deliver + pass(4),
            "drains": open + act(0x80) + act(0x84) + [14, 0] + deliver + pass(5) + greet + deliver + act(0x80),
            "health": open + [14, 5] + deliver + [14, 7] + deliver, "silent": open + act(0x80) + pass(7) + pass(12),
            "gone": open + act(0xc0) + leave + pass(4) + greet + deliver + act(0x87),
            "no-greeting": pass(6) + act(0x80) + pass(6),
        ]
    }
}
