import BulkheadCoding
import NIOCore
import Testing

/// A gzip member that holds nothing (RFC 1952 §2.3: head, an empty block, checksum and length of nothing).
private let nothing: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]

private func decoder(_ codings: String..., maxLayers: Int = 1, maxMembers: Int = .max) throws -> ContentDecoder? {
    try ContentDecoder(codings, limit: 1024, maxLayers: maxLayers, maxMembers: maxMembers)
}

@Test("a body has as many gzip members as it may, and not one more")
func members() throws {
    for (count, isFine) in [(3, true), (4, false)] {
        let body = ByteBuffer(bytes: [[UInt8]](repeating: nothing, count: count).joined())
        var decoder = try #require(try decoder("gzip", maxMembers: 3))
        do {
            let made = try decoder.feed(body)
            try decoder.finish()
            #expect(isFine && made.readableBytes == 0)
        } catch { #expect(!isFine && error == .damaged) }
    }
}

@Test("a member that arrives byte by byte is whole with its last one")
func pieces() throws {
    var decoder = try #require(try decoder("gzip"))
    for byte in nothing.dropLast() {
        let made = try decoder.feed(ByteBuffer(bytes: [byte]))
        #expect(made.readableBytes == 0)
        #expect(throws: ContentDecoder.Trouble.truncated) { try decoder.finish() }
    }
    _ = try decoder.feed(ByteBuffer(bytes: nothing.suffix(1)))
    try decoder.finish()
}

@Test("codings are undone one over the other as many as may be", arguments: [(1, false), (2, true)])
func layers(_ most: Int, _ isFine: Bool) {
    let made = try? decoder("deflate, gzip", maxLayers: most)
    #expect((made != nil) == isFine)
}

@Test("no coding is none", arguments: ["", "identity", "Identity, ", ","])
func plain(_ codings: String) throws {
    let made = try decoder(codings)
    #expect(made == nil)
}

@Test("a coding nobody knows is said to be that", arguments: ["br", "zstd", "gzip, br", "gzip;q=1", "aws-chunked"])
func unknown(_ codings: String) {
    #expect(throws: ContentDecoder.Trouble.unknownCoding) { try decoder(codings, maxLayers: 2) }
}
