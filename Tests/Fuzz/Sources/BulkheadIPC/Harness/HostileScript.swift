import BulkheadCore

/// What a hostile peer does, made from bytes. Any bytes are a script: frames come out whole, so that an input reaches what lies
/// behind the decoder, and streams are mostly ones that exist.
struct HostileScript {
    enum Side {
        case client
        case server
    }

    enum Step: Equatable {
        case send([UInt8])
        /// What was sent arrives, as one read.
        case deliver
        case pass(milliseconds: Int)
        /// The peer takes no bytes any more.
        case stopTaking
        case goOnTaking
        /// The peer closes its end.
        case leave
        /// The end under test does something on its own.
        case act(UInt8)
    }

    private static let maxSteps = 200
    /// What one script sends at most.
    private static let maxBytes = 1 << 20
    private static let sizes = [
        0, 1, 2, 63, 64, 500, 4096, 8192, 8193, 16_384, 16_385, 65_535, 65_536, 65_537, 70_000, 73_792, 73_793, 100_000,
    ]
    private static let auxiliaries: [UInt32] = [
        0, 1, 2, 4, 5, 8, 13, 14, 16, 64, 32_768, 65_536, 65_600, 262_144, 1 << 20, 16 << 20, (16 << 20) + 1, .max / 2, .max,
    ]
    private static let flags: [UInt8] = [0, 1, 2, 4, 5, 6, 4, 5, 7, 8, 9, 13, 15, 16, 128]
    private static let waits = [1, 5, 6, 20, 60, 250, 1000, 1280, 1750, 3000, 5000, 6000, 10_000, 12_000]
    private static let deadlines: [Duration] = [
        .zero, .milliseconds(1), .milliseconds(5), .milliseconds(60), .seconds(1), .seconds(2), .seconds(30), .seconds(3600),
        .seconds(1 << 40),
    ]

    private(set) var steps: [Step] = []
    private let side: Side
    private var input: InputBytes
    private var sent = 0
    private var lastStream: UInt32 = 0
    private var lastFrame: [UInt8] = []

    init(_ bytes: some Sequence<UInt8>, _ side: Side) {
        self.side = side
        input = InputBytes(bytes)
        while !input.isAtEnd, steps.count < Self.maxSteps { step() }
    }

    private mutating func step() {
        switch input.next() & 15 {
        case 0: send(input.take(Int(input.next())))
        case 1: send(anyFrame())
        case 2: send(greeting())
        case 3: send(side == .client ? request() : status())
        case 4: send(message())
        case 5: send(RawFrame(type: 0x08, stream: stream(), aux: input.choice(of: Self.auxiliaries)))
        case 6: send(RawFrame(type: side == .client ? 0x07 : 0x0e, stream: side == .client ? stream() : 0))
        case 7: send(RawFrame(type: 0x09 + (input.next() & 1), payload: [UInt8](repeating: 7, count: Int(input.next()))))
        case 8: steps.append(.pass(milliseconds: input.choice(of: Self.waits)))
        case 9: steps.append(input.next() & 1 == 0 ? .stopTaking : .goOnTaking)
        case 10: steps.append(.leave)
        case 11, 15: steps.append(.act(input.next()))
        case 12: steps.append(.deliver)
        case 13: for _ in 0 ..< input.next() & 63 { send(lastFrame) }
        default: send(side == .client ? RawFrame(type: 0x0c) : drainOrHealth())
        }
    }

    private mutating func send(_ bytes: [UInt8]) {
        sent += bytes.count
        guard sent <= Self.maxBytes else { return }
        steps.append(.send(bytes))
        lastFrame = bytes
    }

    private mutating func send(_ frame: RawFrame) { send(frame.bytes) }

    /// A stream: mostly one of the last, sometimes none that could be.
    private mutating func stream() -> UInt32 {
        let byte = input.next()
        if byte >= 0xe0 { return [0, 2, 0x7fff_ffff, 0x8000_0001, .max, lastStream &+ 1, lastStream &+ 2, 3][Int(byte & 7)] }
        return side == .client ? lastStream &- UInt32(byte & 3) * 2 : UInt32(byte & 15) * 2 + 1
    }

    private mutating func filling() -> [UInt8] { [UInt8](repeating: 0x61, count: input.choice(of: Self.sizes)) }

    private mutating func anyFrame() -> RawFrame {
        RawFrame(
            type: input.next(), flags: input.next(), method: UInt16(input.next()), stream: stream(),
            aux: input.choice(of: Self.auxiliaries), payload: input.take(Int(input.next())))
    }

    private mutating func request() -> RawFrame {
        let variant = input.next()
        lastStream = variant & 0xf0 == 0xf0 ? stream() : lastStream &+ 2 | 1
        let deadline = input.choice(of: Self.deadlines)
        var frame = RawFrame.request(
            stream: lastStream, method: UInt16(variant & 7), deadline: .now() + deadline,
            flags: input.choice(of: [5, 4, 0, 1, 5, 4, 2, 6, 7]), message: filling())
        if variant & 0x08 != 0 { metadata(of: &frame) }
        return frame
    }

    /// Puts metadata of the input's own between head and message.
    private mutating func metadata(of frame: inout RawFrame) {
        let fields = input.take(Int(input.next()))
        frame.payload.replaceSubrange(44 ..< 46, with: RawFrame.little(UInt16(fields.count)))
        frame.payload.insert(contentsOf: fields, at: 64)
    }

    private mutating func message() -> RawFrame {
        RawFrame(
            type: 0x04, flags: input.choice(of: Self.flags), stream: stream(), aux: input.choice(of: Self.auxiliaries),
            payload: filling())
    }

    private mutating func status() -> RawFrame {
        let failure = RawFrame.field(1, input.take(Int(input.next() & 15))) + RawFrame.field(2, Array("message".utf8))
        let code = UInt32(input.next() % 18)
        let flags: UInt8 = input.choice(of: [1, 5, 9, 0, 4])
        return RawFrame(
            type: 0x06, flags: flags, stream: stream(), aux: code, payload: code == 0 ? filling() : failure + input.take(8))
    }

    private mutating func drainOrHealth() -> RawFrame {
        let variant = input.next()
        if variant & 1 == 0 { return RawFrame(type: 0x0b) }
        let states = ["starting", "ready", "degraded", "notServing", "draining", "odd", ""]
        return RawFrame(type: 0x0d, payload: RawFrame.field(1, Array(states[Int(variant >> 1) % states.count].utf8)))
    }

    /// Mostly a good one.
    private mutating func greeting() -> RawFrame {
        let variant = input.next()
        let isOdd = variant >= 0xc0
        let (magic, major): (String, UInt8) = (isOdd && variant & 1 == 1 ? "HTTP" : "BLKH", isOdd && variant & 2 == 2 ? 2 : 1)
        let other = isOdd && variant & 4 == 4 ? String(repeating: "x", count: Int(variant & 0x3f)) : nil
        var frame = RawFrame.hello(
            magic: magic, major: major, service: other ?? (side == .client ? "hostile" : "test"),
            peer: side == .client ? "test" : "", instance: variant)
        if side == .server {
            frame.type = 2
            // Its largest message: mostly 16 MiB.
            frame.payload += isOdd && variant & 8 == 8 ? [8 << 3, variant] : [8 << 3, 0x80, 0x80, 0x80, 0x08]
            for method in Self.methods(hash: isOdd && variant & 32 == 32 ? 7 : 1) { frame.payload += RawFrame.field(11, method) }
        }
        if isOdd, variant & 16 == 16 { frame.payload += input.take(Int(input.next())) }
        return frame
    }

    /// What the hostile server offers, as the fields of a MethodEntry: name, the two hashes, shape.
    private static func methods(hash: UInt64) -> [[UInt8]] {
        [("Test.Echo", 0), ("Test.Chat", 3), ("Test.List", 2)].map { name, shape in
            RawFrame.field(1, Array(name.utf8)) + [2 << 3 | 1] + RawFrame.little(hash) + [3 << 3 | 1]
                + RawFrame.little(UInt64(2)) + [4 << 3, shape]
        }
    }
}
