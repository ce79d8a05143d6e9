import BulkheadAPI
import BulkheadCore
import BulkheadIPC
import NIOCore
import RouterService
import Testing

@Suite("The key of a cached answer") struct CacheKeyTests {
    private static let base = ChatAPI.ChatRequest(
        model: "m",
        messages: [.init(role: .user, parts: [.init(kind: .text, text: "hello"), .init(kind: .text, text: "again")])],
        tools: [.init(name: "weather")], dialect: .openaiChat)

    private static func key(
        _ chat: ChatAPI.ChatRequest, alias: String = "m", tenant: String = "t", user: String = "user:u"
    ) throws -> CacheKey {
        try CacheKey(chat, alias: alias, partition: CachePartition(tenant: tenant, user: user))
    }

    /// Every field of a request and of the messages in it, found in the schema: a field that is added later is among them.
    private static let everyField: [(path: [UInt32], form: MessageForm, field: MessageForm.Field)] = {
        let forms = RouterMethods.schema.forms
        func fields(of form: MessageForm, at path: [UInt32]) -> [(path: [UInt32], form: MessageForm, field: MessageForm.Field)] {
            form.fields.flatMap { field in
                [(path, form, field)] + (field.message.map { fields(of: forms[$0], at: path + [field.number]) } ?? [])
            }
        }
        return forms.first { $0.name == "ChatRequest" }.map { fields(of: $0, at: []) } ?? []
    }()

    @Test("a change of any one field misses, of whether it is streamed alone hits")
    func everyFieldCounts() throws {
        let wire = try Self.base.encoded()
        let same = try Self.key(Self.base)
        var keys: Set<CacheKey> = [same]
        for (path, form, field) in Self.everyField {
            let changed = try ChatAPI.ChatRequest.decoded(try WireEdit.adding(field, at: path, to: wire))
            #expect(changed != Self.base, "\(form.name).\(field.name) was not changed by the test")
            let key = try Self.key(changed)
            if form.name == "ChatRequest", field.name == "stream" {
                #expect(key == same)
            } else {
                #expect(keys.insert(key).inserted, "another \(form.name).\(field.name) must be another key")
            }
        }
        #expect(Self.everyField.count > 40)
        #expect(keys.count == Self.everyField.count)
    }

    @Test("another tenant, user or route misses, however their names run together")
    func partitions() throws {
        let who = [
            ("t", "user:u"), ("t2", "user:u"), ("t", "user:u2"), ("t", "end:u"), ("t", "key:u"), ("tuser:u", ""), ("", "tuser:u"),
        ]
        let keys = try who.map { try Self.key(Self.base, tenant: $0.0, user: $0.1) }
        #expect(Set(keys).count == who.count)
        #expect(try Self.key(Self.base, alias: "n") != Self.key(Self.base))
        #expect(keys[0] == (try Self.key(Self.base)))
    }

    @Test("two models behind one pattern do not share answers")
    func patterns() throws {
        var other = Self.base
        other.model = "gpt-5"
        #expect(try Self.key(other, alias: "gpt-*") != Self.key(Self.base, alias: "gpt-*"))
    }

    @Test("members of JSON in another order are the same request; other values are not")
    func memberOrder() throws {
        func with(_ json: String) throws -> [CacheKey] {
            let changes: [(inout ChatAPI.ChatRequest) -> Void] = [
                { $0.extraJson = json }, { $0.responseFormatJson = json }, { $0.messages[0].extraJson = json },
                { $0.messages[0].parts[0].extraJson = json }, { $0.tools[0].schemaJson = json },
                { $0.messages[0].parts[0] = .init(kind: .raw, json: json) },
            ]
            return try changes.map { change in
                var chat = Self.base
                change(&chat)
                return try Self.key(chat)
            }
        }
        let one = try with(#"{"a": {"x": 1, "y": [1, 2]}, "b": 2}"#)
        #expect(try with(#"{"b":2,"a":{"y":[1,2],"x":1}}"#) == one)
        for other in [#"{"a":{"x":1,"y":[2,1]},"b":2}"#, #"{"a":{"x":1,"y":[1,2]},"b":3}"#, #"{"a":{"x":1},"y":[1,2],"b":2}"#] {
            #expect(zip(try with(other), one).allSatisfy { $0 != $1 })
        }
    }

    @Test("a schema's properties keep their order: the model writes them in it")
    func properties() throws {
        func schema(_ properties: String) throws -> CacheKey {
            var chat = Self.base
            chat.responseFormatJson = #"{"type":"json_schema","json_schema":{"schema":{"properties":{\#(properties)}}}}"#
            return try Self.key(chat)
        }
        #expect(try schema(#""reason":{},"answer":{}"#) != schema(#""answer":{},"reason":{}"#))
    }

    @Test("temperature and top_p count to three decimals")
    func rounding() throws {
        func with(_ value: Double) throws -> [CacheKey] {
            var (warm, wide) = (Self.base, Self.base)
            (warm.temperature, wide.topP) = (value, value)
            return [try Self.key(warm), try Self.key(wide)]
        }
        #expect(try with(0.7) == with(0.700_000_1))
        #expect(try with(0.7)[0] != with(0.701)[0] && with(0.7)[1] != with(0.701)[1])
        #expect(try with(0) == with(-0.000_1))
        #expect(try with(1e300) != with(1e301))
    }

    @Test("what the arguments of a tool call look like is part of the conversation")
    func toolArguments() throws {
        func with(_ json: String) throws -> CacheKey {
            var chat = Self.base
            chat.messages[0].parts[0] = .init(kind: .toolCall, id: "1", name: "f", json: json)
            return try Self.key(chat)
        }
        #expect(try with(#"{"a":1,"b":2}"#) != with(#"{"b":2,"a":1}"#))
    }
}

/// Changes one field of an encoded message.
enum WireEdit {
    /// Appends another value of `field` to the first message at `path`: of a single value the last one counts.
    static func adding(_ field: MessageForm.Field, at path: [UInt32], to wire: ByteBuffer) throws -> ByteBuffer {
        guard let next = path.first else { return wire.appending(try value(of: field)) }
        var (result, rest, isDone) = (ByteBuffer(), wire, false)
        while let (number, whole, inner) = rest.readField() {
            if number == next, let inner, !isDone {
                isDone = true
                result.writeField(number, try adding(field, at: Array(path.dropFirst()), to: inner))
            } else {
                result.writeImmutableBuffer(whole)
            }
        }
        try #require(isDone, "the base request has nothing at \(path)")
        return result
    }

    /// A value the base request does not have. - Throws: for a kind of field this test does not know yet.
    private static func value(of field: MessageForm.Field) throws -> ByteBuffer {
        var bytes = ByteBuffer()
        switch field.type {
        case 1:
            bytes.writeVarint(UInt64(field.number) << 3 | 1)
            bytes.writeInteger((0.125).bitPattern, endianness: .little)
        case 3, 5, 14:
            bytes.writeVarint(UInt64(field.number) << 3)
            bytes.writeVarint(2)
        case 8:
            bytes.writeVarint(UInt64(field.number) << 3)
            bytes.writeVarint(1)
        case 9: bytes.writeField(field.number, ByteBuffer(string: "changed"))
        case 11: bytes.writeField(field.number, ByteBuffer())
        default: Issue.record("teach this test fields of type \(field.type)")
        }
        return bytes
    }
}

extension ByteBuffer {
    fileprivate func appending(_ more: ByteBuffer) -> ByteBuffer {
        var bytes = self
        bytes.writeImmutableBuffer(more)
        return bytes
    }

    fileprivate mutating func writeVarint(_ value: UInt64) {
        var value = value
        while value >= 0x80 {
            writeInteger(UInt8(value & 0x7F | 0x80))
            value >>= 7
        }
        writeInteger(UInt8(value))
    }

    fileprivate mutating func writeField(_ number: UInt32, _ bytes: ByteBuffer) {
        writeVarint(UInt64(number) << 3 | 2)
        writeVarint(UInt64(bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }

    private mutating func readVarint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = readInteger(as: UInt8.self) else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }

    /// A field as a whole, and what is inside a length-delimited one.
    fileprivate mutating func readField() -> (number: UInt32, whole: ByteBuffer, inner: ByteBuffer?)? {
        let start = self
        guard let tag = readVarint() else { return nil }
        var inner: ByteBuffer?
        switch tag & 7 {
        case 0: _ = readVarint()
        case 1: moveReaderIndex(forwardBy: 8)
        case 2: inner = readVarint().flatMap { readSlice(length: Int($0)) }
        default: moveReaderIndex(forwardBy: 4)
        }
        let whole = start.getSlice(at: start.readerIndex, length: start.readableBytes - readableBytes)
        return whole.map { (UInt32(tag >> 3), $0, inner) }
    }
}
