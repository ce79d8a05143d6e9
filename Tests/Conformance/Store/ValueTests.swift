import BulkheadCore
import BulkheadStore
import NIOCore
import Testing

@Suite("Values of a durable store")
struct ValueTests {
    static let rows: [String: [SQLValue]] = [
        "nothing": [.null, .null, .null],
        "least": [.integer(Int64.min), .text(""), .bytes(ByteBuffer())],
        "most": [.integer(Int64.max), .text("a"), .bytes([0])],
        "zero": [.integer(0 as Int64), .text(" leading and trailing "), .bytes([0, 0, 0])],
        "minus one": [
            .integer(-1 as Int64), .text("line\nfeed\ttab\r'quote' \"double\" \\ $1 ?1 %s"), .bytes([0xff, 0xfe, 0x00, 0x5c]),
        ],
        "every byte": [
            .integer(1 as Int64), .text("é e\u{301} 日本語 🧱 \u{10FFFF} \u{FEFF}"), .bytes(0 ... 255 as ClosedRange<UInt8>),
        ],
        "large": [
            .integer(2 as Int64), .text(String(repeating: "0123456789abcdef", count: 8192)),
            .bytes((0 ..< 1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }),
        ],
        "at the copy's edge": [.integer(3 as Int64), .text("x"), .bytes((0 ..< 4096).map { UInt8(truncatingIfNeeded: $0) })],
        "beyond it": [.integer(4 as Int64), .text("x"), .bytes((0 ..< 4097).map { UInt8(truncatingIfNeeded: $0) })],
    ]

    @Test("Every value comes back as it went in, also from a store opened anew", arguments: StoreUnderTest.all)
    func roundTrip(kind: StoreUnderTest) async throws {
        let place = try kind.place()
        let store = try await place.open(schema: Scratch.schema)
        for (name, values) in Self.rows {
            try await store.transact { try $0.run(Scratch.insert, [.text(name)] + values) }
        }
        for store in [store, try await place.open(schema: Scratch.schema)] {
            for (name, values) in Self.rows {
                let found = try await store.transact { try $0.rows(Scratch.find, [.text(name)]) }
                #expect(found == [SQLRow(values)], "\(name)")
            }
        }
    }

    @Test("Values do not stay behind in a statement that is used again", arguments: StoreUnderTest.all)
    func reuse(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let found = try await store.transact { transaction in
            try transaction.run(Scratch.insert, [.text("full"), .integer(1), .text("words"), .bytes([1])])
            try transaction.run(Scratch.insert, [.text("empty"), .null, .null, .null])
            return try transaction.rows(Scratch.find, [.text("empty")])
        }
        #expect(found == [SQLRow([.null, .null, .null])])
    }

    @Test("Text is a value, never a part of the statement", arguments: StoreUnderTest.all)
    func injection(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        let name = "x'); DROP TABLE scratch; --"
        try await store.transact { try Scratch.put(name, $0) }
        #expect(try await Scratch.names(store) == [name])
    }

    @Test("The order of rows and a missing row are told as they are", arguments: StoreUnderTest.all)
    func rows(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        try await store.transact { transaction in
            for name in ["c", "a", "b"] { try Scratch.put(name, transaction) }
        }
        #expect(try await Scratch.names(store) == ["a", "b", "c"])
        #expect(try await store.transact { try $0.rows(Scratch.find, [.text("d")]) }.isEmpty)
    }

    @Test("A value too many or too few fails and changes nothing", arguments: StoreUnderTest.all)
    func count(kind: StoreUnderTest) async throws {
        let store = try await kind.place().open(schema: Scratch.schema)
        for values: [SQLValue] in [[.text("x")], [.text("x"), .null, .null, .null, .null]] {
            await #expect(throws: CallError.self) { try await store.transact { try $0.run(Scratch.insert, values) } }
        }
        #expect(try await Scratch.names(store).isEmpty)
    }
}
