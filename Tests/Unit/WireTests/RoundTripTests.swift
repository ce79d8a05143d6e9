import BulkheadAPI
import BulkheadIPC
import BulkheadWire
import Foundation
import NIOCore
import Testing

@Suite("Every message survives the wire") struct RoundTripTests {
    @Test("a message with all fields set is decoded and encoded to the same bytes", arguments: 0 ..< everyMessage.count)
    func full(_ index: Int) throws { try expectSameBytes(everyMessage[index]) }

    private func expectSameBytes<M: TestedMessage>(_ type: M.Type) throws {
        var format = WireFormat(generator: SeededGenerator(seed: 11), filling: .full)
        for _ in 0 ..< 50 {
            let bytes = ByteBuffer(bytes: format.bytes(of: type))
            let message = try M.decoded(bytes)
            #expect(try message.encoded() == bytes, "\(type) loses or changes a field")
        }
    }

    @Test(
        "a message with any fields, defaults included, is equal after encoding and decoding", arguments: 0 ..< everyMessage.count)
    func random(_ index: Int) throws { try expectSameValue(everyMessage[index]) }

    private func expectSameValue<M: TestedMessage>(_ type: M.Type) throws {
        var format = WireFormat(generator: SeededGenerator(seed: 12), filling: .random)
        for _ in 0 ..< 200 {
            let message = try M.decoded(ByteBuffer(bytes: format.bytes(of: type)))
            #expect(try M.decoded(message.encoded()) == message)
        }
    }

    @Test("no bytes are a message with defaults, and that is written as no bytes", arguments: 0 ..< everyMessage.count)
    func empty(_ index: Int) throws { try expectEmpty(everyMessage[index]) }

    private func expectEmpty<M: TestedMessage>(_ type: M.Type) throws {
        #expect(try M.decoded(ByteBuffer()).encoded().readableBytes == 0)
    }

    @Test("a NUL and every kind of text come back as they were")
    func text() throws {
        for text in ["a\0b", "\0", "", "e\u{301}", "\u{10FFFF}", "👩‍👩‍👧‍👦", "\u{FEFF}mark", String(repeating: "世", count: 100_000)] {
            let part = ChatAPI.Part(kind: .text, text: text, id: text, json: text)
            let decoded = try ChatAPI.Part.decoded(part.encoded())
            #expect(decoded == part)
            #expect(Array(decoded.text.utf8) == Array(text.utf8), "the bytes are the same, not only the characters")
            #expect(decoded.name == nil, "an absent text is not an empty one")
            #expect(
                try RouterAPI.EmbedRequest.decoded(RouterAPI.EmbedRequest(inputs: [text, "", text]).encoded()).inputs == [
                    text, "", text,
                ])
        }
    }

    @Test("an enumerator of a later version reads as unspecified")
    func laterEnumerator() throws {
        let bytes = ByteBuffer(bytes: [0x08] + WireFormat.varint(4711))
        #expect(try ChatAPI.Part.decoded(bytes).kind == .unspecified)
    }

    @Test("fields of a later version are passed over")
    func laterFields() throws {
        let known = try ChatAPI.Part(kind: .text, text: "x").encoded()
        var bytes = ByteBuffer(bytes: WireFormat.varint(900 << 3 | 2) + WireFormat.delimited(Array("later".utf8)))
        bytes.writeImmutableBuffer(known)
        bytes.writeBytes(WireFormat.varint(901 << 3) + WireFormat.varint(5))
        #expect(try ChatAPI.Part.decoded(bytes) == ChatAPI.Part(kind: .text, text: "x"))
    }

    @Test("encoding appends to what the buffer holds")
    func appends() throws {
        var buffer = ByteBuffer(string: "head")
        try ChatAPI.Part(kind: .text, text: "x").encode(into: &buffer)
        #expect(buffer.readString(length: 4) == "head")
        #expect(try ChatAPI.Part.decoded(buffer).text == "x")
    }

    @Test("these tests cover every generated message")
    func completeList() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardizedFileURL
        var declared = 0
        for folder in ["Protos/API/Generated", "Shared/IPC/Generated"] {
            for file in try FileManager.default.contentsOfDirectory(
                at: root.appending(path: folder), includingPropertiesForKeys: nil)
            {
                declared += try String(contentsOf: file, encoding: .utf8).matches(of: /struct \w+: WireMessage/).count
            }
        }
        #expect(Set(everyMessage.map { "\(String(reflecting: $0))" }).count == declared)
    }
}
