import BulkheadJSON
import NIOCore
import Testing

struct JSONParsingTests {
    private static let accepted: [(String, JSON)] = [
        ("null", nil), (" \t\r\n true ", true), ("false", false), ("\"\"", ""), ("[]", []), ("{}", [:]), ("0", 0), ("-0", 0),
        ("-1", -1), ("123e65", 123e65), ("0e+1", 0.0), ("1E22", 1e22), ("0.1e-2", 0.001), ("-123.5", -123.5), ("1.0", 1.0),
        ("1e-400", 0.0),
        ("9223372036854775807", .int(.max)), ("-9223372036854775808", .int(.min)), ("18446744073709551615", .uint(.max)),
        ("18446744073709551616", 18_446_744_073_709_551_616.0),
        ("[-9223372036854775809,\"1\"]", [-9.223372036854775809e18, "1"]),
        ("{\"18446744073709551616\":18446744073709551616}", ["18446744073709551616": 18_446_744_073_709_551_616.0]),
        ("[1,[2,[3]],{}]", [1, [2, [3]], [:]]), ("[1 , 2\n]", [1, 2]), ("{\"\":0}", ["": 0]),
        ("{\"a\":{\"b\":[null,false]}}", ["a": ["b": [nil, false]]]),
        ("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", ["\"\\/\u{8}\u{c}\n\r\t"]),
        ("\"\\u0061\\u30aF\"", "aク"),
        ("\"\\ud83d\\uDE00\"", "😀"), ("\"\\u0000\"", "\0"), ("\"\u{7f}\"", "\u{7f}"), ("\"\u{2028}€𝄞\"", "\u{2028}€𝄞"),
        ("\"\\\\u0061\"", "\\u0061"),
    ]

    @Test("what RFC 8259 permits is accepted and means what it says", arguments: accepted)
    func accepts(text: String, expected: JSON) throws {
        #expect(try JSON.parse(text) == expected)
        #expect(try JSON.parse(ByteBuffer(string: text)) == expected)
    }

    @Test(
        "what RFC 8259 forbids is refused",
        arguments: [
            "", " ", "nul", "True", "[1,]", "[,1]", "[1 2]", "[1", "]", "[1]]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
            "{'a':1}", "{\"a\" 1}", "{1:1}", "\"", "\"a", "'a'", "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"\\x\"", "\"\\u12\"",
            "\"\\u12G4\"", "\"\\ud83d\"", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "-Infinity",
            "1e400", "--1", "1 2", "[] []", "{} x", "[1}", "/**/1", "[1] // x", "\u{feff}[]", "\\u0041", "[\"a\"", "[\"a\\\"]",
            "00", "-01", "1_000", "\u{a0}1", "12345678901234567890123x",
        ])
    func refuses(text: String) {
        #expect(throws: JSONError.self) { try JSON.parse(text) }
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [
            [0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xe2, 0x82, 0x22],
            [0xff, 0xfe, 0x31, 0x00], [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22],
        ] as [[UInt8]])
    func refusesInvalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSON.parse(ByteBuffer(bytes: bytes)) }
    }

    @Test("an unpaired low surrogate does not make an invalid string")
    func lowSurrogate() throws {
        if let text = try? JSON.parse("\"a\\udc00b\"").string {
            #expect(text.first == "a" && text.last == "b" && text.unicodeScalars.contains("\u{fffd}"))
        }
    }

    @Test("nesting is allowed up to the limit and not one level further", arguments: [1, 2, 64, JSON.deepestNesting])
    func depthLimit(limit: Int) throws {
        func nested(_ depth: Int) -> String { String(repeating: "[", count: depth) + String(repeating: "]", count: depth) }
        #expect(try JSON.parse(nested(limit), maxDepth: limit).array != nil)
        #expect(throws: JSONError.depth(limit: limit)) { try JSON.parse(nested(limit + 1), maxDepth: limit) }
        #expect(throws: JSONError.depth(limit: JSON.deepestNesting)) { try JSON.parse(nested(100_000), maxDepth: .max) }
        #expect(throws: JSONError.self) { try JSON.parse(String(repeating: "{\"a\":[", count: 50_000)) }
    }

    @Test("a document of too many values is refused")
    func valueLimit() {
        let text = "[" + String(repeating: "0,", count: JSON.mostValues) + "0]"
        #expect(throws: JSONError.values(limit: JSON.mostValues)) { try JSON.parse(text) }
    }

    @Test("of a repeated name every pair is kept and the last is found")
    func repeatedName() throws {
        var object = try #require(try JSON.parse("{\"a\":1,\"b\":2,\"a\":3}").object)
        #expect(object.count == 3 && object["a"] == 3)
        #expect(JSON.object(object).text() == "{\"a\":1,\"b\":2,\"a\":3}")
        object["a"] = nil
        #expect(object == ["b": 2])
    }

    @Test("setting a member keeps its place, a new one comes last")
    func objectOrder() {
        var object: JSONObject = ["x": 1, "y": 2]
        object["x"] = "new"
        object["z"] = nil
        object["w"] = [true]
        #expect(object.map(\.name) == ["x", "y", "w"])
        #expect(object["x"] == "new")
    }

    @Test("accessors answer for their own type only")
    func accessors() throws {
        let json = try JSON.parse(#"{"i":1,"d":1.5,"w":2.0,"s":"t","b":true,"n":null,"a":[1],"u":18446744073709551615}"#)
        #expect(json["i"]?.int == 1 && json["w"]?.int == 2 && json["d"]?.int == nil && json["u"]?.int == nil)
        #expect(json["i"]?.double == 1 && json["s"]?.double == nil && json["s"]?.string == "t" && json["i"]?.string == nil)
        #expect(json["b"]?.bool == true && json["n"]?.isNull == true && json["n"]?.bool == nil && json["missing"] == nil)
        #expect(json["a"]?[0]?.int == 1 && json["a"]?[1] == nil && json["s"]?[0] == nil && json["a"]?["x"] == nil)
    }

    @Test("a large document after a small one and a small one after a large one are read right")
    func changingSizes() throws {
        let long = String(repeating: "x€", count: 700_000)
        for _ in 0 ..< 3 {
            #expect(try JSON.parse("[\"\(long)\"]")[0]?.string == long)
            #expect(try JSON.parse("[\"ab\"]") == ["ab"])
        }
    }

    @Test("every prefix of a document is refused, and no byte of it is read past its end")
    func prefixes() throws {
        let text = #"{"model":"m","messages":[{"role":"user","content":"hé \u00e9\n"}],"n":-1.5e3,"stream":true,"x":null}"#
        let bytes = Array(text.utf8)
        #expect(throws: Never.self) { try JSON.parse(text) }
        for end in bytes.indices {
            #expect(throws: JSONError.self) { try JSON.parse(ByteBuffer(bytes: bytes[..<end])) }
        }
    }

    @Test("error messages never quote the document")
    func quietErrors() {
        for text in ["{\"secret-word\":tru}", "[\"secret-word]", "{\"secret-word\"}"] {
            let error = #expect(throws: JSONError.self) { try JSON.parse(text) }
            #expect(error?.description.contains("secret") == false)
        }
    }
}
