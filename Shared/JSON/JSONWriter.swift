import NIOCore

/// Writes one JSON document, compact, straight into a `ByteBuffer`; for answers that are not worth a tree of `JSON`.
/// Commas are its business, the pairing of names and values the caller's.
///
///     JSONWriter.append(to: &buffer) { writer in
///         writer.object { $0.field("id", "x"); $0.array("choices") { $0.value(1) } }
///     }
package struct JSONWriter {
    /// What has been written so far.
    package private(set) var buffer: ByteBuffer
    private var needsComma = false

    /// Continues at the end of `buffer`.
    package init(_ buffer: ByteBuffer = ByteBuffer()) { self.buffer = buffer }

    /// Writes at the end of `buffer`, without copying what is there.
    package static func append(to buffer: inout ByteBuffer, _ body: (inout JSONWriter) throws -> Void) rethrows {
        var writer = JSONWriter(buffer)
        // The writer must hold the only reference, or its first write copies the buffer.
        buffer = ByteBuffer()
        defer { buffer = writer.buffer }
        try body(&writer)
    }

    /// Opens an object; `endObject` closes it.
    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    /// Closes the object opened last.
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    /// Goes on in an object whose beginning, with at least one member, stands in the buffer already.
    package mutating func continueObject() { needsComma = true }
    /// Opens an array; `endArray` closes it.
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    /// Closes the array opened last.
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes an object whose members `body` writes.
    package mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginObject()
        try body(&self)
        endObject()
    }

    /// Writes an array whose elements `body` writes.
    package mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        beginArray()
        try body(&self)
        endArray()
    }

    /// Writes a member's name; its value must follow.
    package mutating func name(_ name: String) {
        buffer.writeJSONString(name, before: needsComma ? UInt8(ascii: ",") : nil, after: UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a string, escaped.
    package mutating func value(_ text: String) {
        buffer.writeJSONString(text, before: needsComma ? UInt8(ascii: ",") : nil, after: nil)
        needsComma = true
    }

    /// Writes an integer.
    package mutating func value(_ number: Int) { raw(String(number)) }

    /// Writes an integer.
    package mutating func value(_ number: Int64) { raw(String(number)) }

    /// Writes an integer.
    package mutating func value(_ number: UInt64) { raw(String(number)) }

    /// JSON has no infinities and no NaN: they become null.
    package mutating func value(_ number: Double) {
        number.isFinite ? raw(number.description) : null()
    }

    /// The shortest digits that give the same `Float` back; null if it is not finite.
    package mutating func value(_ number: Float) {
        number.isFinite ? raw(number.description) : null()
    }

    /// Writes `true` or `false`.
    package mutating func value(_ flag: Bool) { raw(flag ? "true" : "false") }

    /// Writes `null`.
    package mutating func null() { raw("null") }

    /// Writes a value of any type.
    package mutating func value(_ json: JSON) {
        switch json {
        case .null: null()
        case .bool(let flag): value(flag)
        case .int(let number): value(number)
        case .uint(let number): value(number)
        case .double(let number): value(number)
        case .string(let text): value(text)
        case .array(let elements): array { writer in for element in elements { writer.value(element) } }
        case .object(let members): value(members)
        }
    }

    /// Writes an object, its pairs in order.
    package mutating func value(_ members: JSONObject) {
        object { writer in for (name, value) in members { writer.field(name, value) } }
    }

    /// Writes a value that already is JSON text, unchecked.
    package mutating func raw(_ json: String) {
        separate()
        buffer.writeString(json)
    }

    /// Writes a value that already is JSON text, unchecked.
    package mutating func raw(_ json: ByteBuffer) {
        separate()
        buffer.writeImmutableBuffer(json)
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        buffer.writeInteger(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        buffer.writeInteger(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        needsComma = true
    }
}

extension JSONWriter {
    /// Writes a member that is a string.
    package mutating func field(_ name: String, _ text: String) {
        self.name(name)
        value(text)
    }

    /// Writes a member that is an integer.
    package mutating func field(_ name: String, _ number: Int) {
        self.name(name)
        value(number)
    }

    /// Writes a member that is a number, null if it is not finite.
    package mutating func field(_ name: String, _ number: Double) {
        self.name(name)
        value(number)
    }

    /// Writes a member that is a boolean.
    package mutating func field(_ name: String, _ flag: Bool) {
        self.name(name)
        value(flag)
    }

    /// Writes a member of any type.
    package mutating func field(_ name: String, _ json: JSON) {
        self.name(name)
        value(json)
    }

    /// Writes the member with the value null.
    /// Writes `null`.
    package mutating func nullField(_ name: String) {
        self.name(name)
        null()
    }

    /// Writes a member that is an object whose members `body` writes.
    package mutating func object(_ name: String, _ body: (inout JSONWriter) throws -> Void) rethrows {
        self.name(name)
        try object(body)
    }

    /// Writes a member that is an array whose elements `body` writes.
    package mutating func array(_ name: String, _ body: (inout JSONWriter) throws -> Void) rethrows {
        self.name(name)
        try array(body)
    }
}
