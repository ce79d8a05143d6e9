import BulkheadJSON
import NIOCore
import Testing

struct JSONWritingTests {
    @Test("values are written compactly and escaped as RFC 8259 demands")
    func text() {
        let json: JSON = [
            "a": [1, -2, 1.5, nil, true, false], "b": [:], "c": [],
            "d": "q\"\\\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}/é😀",
        ]
        let escaped = #"q\"\\\b\f\n\r\t\u0001\u001f"# + "\u{7f}/é😀"
        #expect(json.text() == #"{"a":[1,-2,1.5,null,true,false],"b":{},"c":[],"d":"\#(escaped)"}"#)
        #expect(JSON.uint(.max).text() == "18446744073709551615")
        #expect(JSON.double(.nan).text() == "null" && JSON.double(-.infinity).text() == "null")
    }

    @Test("an escaped character is found at every place of a string of every length")
    func escapePositions() throws {
        for length in 1 ... 40 {
            for place in 0 ..< length {
                for special in ["\"", "\\", "\n", "é"] {
                    let text = String(repeating: "a", count: place) + special + String(repeating: "b", count: length - place - 1)
                    #expect(try JSON.parse(JSON.string(text).bytes()) == .string(text))
                }
            }
        }
    }

    @Test("long strings survive, whatever stands where they are cut into pieces", arguments: ["a", "\n", "é", "😀", "\u{1}"])
    func longStrings(filler: String) throws {
        for offset in 0 ..< 9 {
            let text = String(repeating: "x", count: offset) + String(repeating: filler, count: 2_000) + "\""
            #expect(try JSON.parse(JSON.object(["k": .string(text)]).bytes()) == ["k": .string(text)])
        }
    }

    @Test("the streaming writer writes what the tree writes, after what the buffer held")
    func streaming() throws {
        var buffer = ByteBuffer(string: "data: ")
        JSONWriter.append(to: &buffer) { writer in
            writer.object {
                $0.field("id", "x")
                $0.field("n", 3)
                $0.field("d", 0.25)
                $0.field("ok", true)
                $0.nullField("none")
                $0.field("tree", ["a": [1]] as JSON)
                $0.object("o") { _ in }
                $0.array("list") {
                    $0.value("y")
                    $0.value(Float(0.1))
                    $0.object { $0.field("k", "v") }
                    $0.raw("[0]")
                    $0.raw(ByteBuffer(string: "{}"))
                }
            }
        }
        #expect(
            String(buffer: buffer) == #"data: {"id":"x","n":3,"d":0.25,"ok":true,"none":null,"tree":{"a":[1]},"o":{},"#
                + #""list":["y",0.1,{"k":"v"},[0],{}]}"#)
    }

    @Test("what is written is read back equal", arguments: 0 ..< 300)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let json = Self.random(depth: 0, &generator)
        #expect(try JSON.parse(json.bytes()) == json)
    }

    @Test("random bytes are refused or read into a value that survives a round trip", arguments: 0 ..< 300)
    func hostile(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("[]{}\",:\\u0019.eE+-truefalsn \n\u{0}é".utf8) + [0xff, 0x80, 0xed]
        var bytes = Array(Self.random(depth: 0, &generator).text().utf8)
        for _ in 0 ..< Int.random(in: 1 ... 6, using: &generator) {
            let byte = alphabet.randomElement(using: &generator) ?? 0
            bytes.insert(byte, at: Int.random(in: 0 ... bytes.count, using: &generator))
            if Bool.random(using: &generator) { bytes.remove(at: Int.random(in: 0 ..< bytes.count, using: &generator)) }
        }
        guard let json = try? JSON.parse(ByteBuffer(bytes: bytes)) else { return }
        #expect(try JSON.parse(json.bytes()) == json)
    }

    private static func random(depth: Int, _ generator: inout SeededGenerator) -> JSON {
        switch Int.random(in: 0 ..< (depth < 5 ? 9 : 7), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .int(.random(in: .min ... .max, using: &generator))
        case 3: return .uint(.random(in: UInt64(Int64.max) + 1 ... .max, using: &generator))
        case 4: return number(&generator)
        case 5, 6: return .string(string(&generator))
        case 7:
            return .array((0 ..< Int.random(in: 0 ..< 6, using: &generator)).map { _ in random(depth: depth + 1, &generator) })
        default:
            let count = Int.random(in: 0 ..< 6, using: &generator)
            return .object(JSONObject((0 ..< count).map { _ in (string(&generator), random(depth: depth + 1, &generator)) }))
        }
    }

    private static func number(_ generator: inout SeededGenerator) -> JSON {
        let double = Double(bitPattern: generator.next())
        return .double(double.isFinite ? double : 0.5)
    }

    private static func string(_ generator: inout SeededGenerator) -> String {
        let scalars = (0 ..< Int.random(in: 0 ..< 40, using: &generator)).compactMap { _ in
            Unicode.Scalar(UInt32.random(in: 0 ..< (Bool.random(using: &generator) ? 0x80 : 0x11_0000), using: &generator))
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
