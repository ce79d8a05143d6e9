import EdgeService
import NIOCore
import Testing

@Suite("JSON in its canonical form")
struct CanonicalJSONTests {
    private func canonical(_ text: String) -> String? { CanonicalJSON.text(ByteBuffer(string: text)) }

    @Test("The example of RFC 8785 comes out as it says")
    func example() {
        let text = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
            + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        #expect(canonical(text) == expected)
    }

    @Test("Members are in the order of their UTF-16 code units")
    func order() {
        let text = #"""
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7}
            """#
        #expect(canonical(text) == "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}")
    }

    @Test(
        "Doubles are written as in appendix B of RFC 8785",
        arguments: [
            (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"), (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"), (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"), (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"), (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"), (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"), (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"), (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"), (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"), (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5557, "333333333.33333343"), (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] as [(UInt64, String)])
    func doubles(bits: UInt64, text: String) {
        #expect(CanonicalNumber.text(Double(bitPattern: bits)) == text)
    }

    @Test(
        "Spellings of one value are one",
        arguments: [
            ("[1, 1.0, 1e0, 10e-1]", "[1,1,1,1]"), ("[-0, 0, 0.0, -0.0e5]", "[0,0,0,0]"), ("\"\\u00e9\"", "\"é\""),
            ("{\"b\": 1, \"a\": {\"d\": [ ], \"c\": { }}}", "{\"a\":{\"c\":{},\"d\":[]},\"b\":1}"),
        ])
    func equals(text: String, expected: String) { #expect(canonical(text) == expected) }

    @Test("Integers keep all their digits, wherever their members stand")
    func integers() {
        #expect(canonical("[9007199254740993, 18446744073709551615]") == "[9007199254740993,18446744073709551615]")
        let wide = "100000000000000000000000000000000000001"
        #expect(
            canonical("{\"b\": \(wide), \"a\": [1e300, -\(wide)], \"t\": \"\(wide)2\"}")
                == "{\"a\":[1e+300,-\(wide)],\"b\":\(wide),\"t\":\"\(wide)2\"}")
        #expect(
            canonical("{\"a\": [1e300, -\(wide)], \"t\": \"\(wide)2\", \"b\": \(wide)}")
                == canonical("{\"b\": \(wide), \"t\": \"\(wide)2\", \"a\": [1e300, -\(wide)]}"))
        #expect(canonical("[\(wide)]") != canonical("[\(wide.dropLast())2]"))
    }

    @Test("What differs stays different: order in arrays, types, forms of composition")
    func differs() {
        #expect(canonical("[1,2]") != canonical("[2,1]"))
        #expect(canonical("\"1\"") != canonical("1"))
        #expect(Array(canonical("\"\\u00e9\"")?.utf8 ?? "".utf8) != Array(canonical("\"e\\u0301\"")?.utf8 ?? "".utf8))
        #expect(canonical("[null]") != canonical("[]"))
    }

    @Test("What is no document has no form, and deep nesting ends")
    func refused() {
        #expect(canonical("{") == nil && canonical("") == nil && canonical("\u{feff}{}") == nil)
        #expect(canonical(String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000)) == nil)
        #expect(canonical(String(repeating: "[", count: 60) + String(repeating: "]", count: 60)) != nil)
    }

    @Test("A long text comes in pieces and whole")
    func pieces() {
        let long = String(repeating: "ab\\n", count: 50_000)
        var (bytes, count) = ([UInt8](), 0)
        #expect(
            CanonicalJSON.write(ByteBuffer(string: "[\"\(long)\"]")) {
                bytes.append(contentsOf: $0)
                count += 1
            })
        #expect(String(decoding: bytes, as: UTF8.self) == "[\"\(long)\"]" && count > 10)
    }
}

@Suite("The fingerprint of a request")
struct RequestFingerprintTests {
    private func digest(
        _ body: String = "{\"a\":1,\"b\":2}", method: String = "POST", route: String = "/v1/x", target: String = "/v1/x",
        headers: [(name: String, value: String?)] = []
    ) -> ByteBuffer {
        RequestFingerprint.digest(method: method, route: route, target: target, headers: headers, body: ByteBuffer(string: body))
    }

    @Test("The same request in another spelling is the same")
    func same() {
        #expect(digest().readableBytes == 32)
        #expect(digest("{ \"b\": 2.0, \"a\" : 1e0 }") == digest())
        #expect(digest(target: "/v1/x?b=1&a=2&a=1") == digest(target: "/v1/x?a=2&b=1&a=1"))
        #expect(digest(target: "/x") == digest(target: "/v1/x"))
        let headers = { (beta: String) in self.digest(headers: [("anthropic-beta", beta)]) }
        #expect(headers("one, two") == headers("two,one"))
    }

    @Test("Another method, route, query, version or body is another request")
    func other() {
        let all = [
            digest(), digest(method: "PUT"), digest(route: "/v1/y"), digest(target: "/v1/x?a=1&a=2"),
            digest(target: "/v1/x?a=2&a=1"),
            digest(headers: [("anthropic-version", "2023-06-01")]), digest(headers: [("anthropic-version", "2024-01-01")]),
            digest(headers: [("anthropic-beta", "2023-06-01")]), digest("{\"a\":1,\"b\":3}"),
            digest("{\"a\":1,\"b\":2,\"stream\":true}"),
            digest("no json"), digest("no  json"), digest(""),
        ]
        for (index, one) in all.enumerated() { #expect(!all.dropFirst(index + 1).contains(one), "\(index)") }
    }
}
