import BulkheadAPI
import BulkheadIPC
import BulkheadWire
import NIOCore
import Testing

@Suite("Bytes of a hostile peer are refused, never obeyed") struct HostileBytesTests {
    /// Decodes and does not mind a refusal; that it returns at all is the point.
    /// - Returns: whether the bytes were a message.
    @discardableResult
    private func survives<M: TestedMessage>(_ bytes: [UInt8], as type: M.Type) throws -> Bool {
        do {
            let message = try M.decoded(ByteBuffer(bytes: bytes))
            // What was accepted can be written again.
            _ = try message.encoded()
            return true
        } catch is WireError {
            return false
        }
    }

    @Test("a message cut at any byte is refused or a shorter message", arguments: 0 ..< everyMessage.count)
    func truncation(_ index: Int) throws { try truncate(everyMessage[index]) }

    private func truncate<M: TestedMessage>(_ type: M.Type) throws {
        var format = WireFormat(generator: SeededGenerator(seed: 21), filling: .full)
        var bytes = format.bytes(of: type)
        if bytes.count > 4_000 { bytes = Array(bytes.prefix(4_000)) }
        for length in 0 ..< bytes.count { try survives(Array(bytes.prefix(length)), as: type) }
    }

    @Test("a text cut inside is refused as cut")
    func truncatedText() throws {
        let bytes = try ChatAPI.Part(kind: .text, text: "some text").encoded()
        for length in 3 ..< bytes.readableBytes {
            #expect(throws: WireError.truncated) {
                try ChatAPI.Part.decoded(bytes.getSlice(at: 0, length: length) ?? ByteBuffer())
            }
        }
    }

    @Test("flipped bits never do more than change or break the message", arguments: 0 ..< everyMessage.count)
    func bitFlips(_ index: Int) throws { try flip(everyMessage[index]) }

    private func flip<M: TestedMessage>(_ type: M.Type) throws {
        var format = WireFormat(generator: SeededGenerator(seed: 22), filling: .random)
        var generator = SeededGenerator(seed: 23)
        for _ in 0 ..< 2_000 {
            var bytes = format.bytes(of: type)
            guard !bytes.isEmpty else { continue }
            for _ in 0 ..< Int.random(in: 1 ... 4, using: &generator) {
                let place = Int.random(in: 0 ..< bytes.count, using: &generator)
                bytes[place] ^= 1 << UInt8.random(in: 0 ..< 8, using: &generator)
            }
            try survives(bytes, as: type)
        }
    }

    @Test("random bytes never crash", arguments: 0 ..< everyMessage.count)
    func noise(_ index: Int) throws { try feedNoise(everyMessage[index]) }

    private func feedNoise<M: TestedMessage>(_ type: M.Type) throws {
        var generator = SeededGenerator(seed: 24)
        for _ in 0 ..< 2_000 {
            let count = Int.random(in: 0 ... 64, using: &generator)
            try survives((0 ..< count).map { _ in UInt8.random(in: 0 ... 255, using: &generator) }, as: type)
        }
    }

    @Test("messages nested ten thousand deep do not exhaust the stack")
    func nesting() throws {
        var bytes: [UInt8] = []
        for _ in 0 ..< 10_000 { bytes = [0x0a] + WireFormat.delimited(bytes) }
        for type in everyMessage { try survives(bytes, as: type) }
        var groups = [UInt8](repeating: 0x0b, count: 100_000)
        #expect(throws: WireError.self) { try RouterAPI.CompleteRequest.decoded(ByteBuffer(bytes: groups)) }
        groups += [UInt8](repeating: 0x0c, count: 100_000)
        #expect(throws: WireError.self) { try RouterAPI.CompleteRequest.decoded(ByteBuffer(bytes: groups)) }
    }

    @Test("64 KiB of empty messages, which would take a hundred times their bytes, are refused")
    func amplification() {
        let bytes = ByteBuffer(bytes: [UInt8](repeating: 0, count: 65_536).enumerated().map { $0.offset % 2 == 0 ? 0x0a : 0 })
        #expect(throws: WireError.tooComplex) { try RouterAPI.CompleteReply.decoded(bytes) }
    }

    @Test("more fields than any honest message has are refused")
    func fieldCount() {
        let pairs = Int(WireLimits.fields) + 1
        let bytes = ByteBuffer(bytes: [UInt8](repeating: 0, count: pairs * 2).enumerated().map { $0.offset % 2 == 0 ? 0x08 : 1 })
        #expect(throws: WireError.tooComplex) { try ChatAPI.Part.decoded(bytes) }
    }

    @Test(
        "text that is not UTF-8 is refused",
        arguments: [
            [0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe4, 0xb8], [0x61, 0x80, 0x62],
        ] as [[UInt8]])
    func invalidUTF8(_ text: [UInt8]) {
        let bytes = ByteBuffer(bytes: [0x12] + WireFormat.delimited(text))
        #expect(throws: WireError.invalidUTF8) { try ChatAPI.Part.decoded(bytes) }
        let list = ByteBuffer(bytes: [0x12] + WireFormat.delimited(Array("good".utf8)) + [0x12] + WireFormat.delimited(text))
        #expect(throws: WireError.invalidUTF8) { try RouterAPI.EmbedRequest.decoded(list) }
    }

    @Test(
        "tags and lengths that cannot be are refused",
        arguments: [
            [0x00], [0x00, 0x00], [0x06], [0x0f, 0x01], [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x08], [0x12], [0x12, 0x01], [0x15, 0, 0, 0],
            [0x11, 0, 0],
            [0x80, 0x80, 0x80, 0x80, 0x10, 0x01],
        ] as [[UInt8]])
    func brokenTags(_ bytes: [UInt8]) {
        #expect(throws: WireError.self) { try ChatAPI.Part.decoded(ByteBuffer(bytes: bytes)) }
    }

    @Test("a field with another wire type than its own does not crash and does not become a value")
    func wrongWireType() throws {
        // `text` (2) as a varint, `kind` (1) as bytes, `messages` as a fixed64.
        for bytes in [[0x10, 0x05], [0x0a, 0x01, 0x41], [0x11, 1, 2, 3, 4, 5, 6, 7, 8]] as [[UInt8]] {
            for type in everyMessage { try survives(bytes, as: type) }
        }
    }
}
