/// Inputs to begin with for JSON and event streams, beside whole answers.
enum JSONSeeds {
    static let documents = [
        "numbers":
            "[0,-0,1.5e3,1E-400,9223372036854775807,-9223372036854775808,18446744073709551615,18446744073709551616,123e65]",
        "strings": #"{"":"\"\\\/\b\f\n\r\t","é":"\u0041\ud83d\ude00\u0000","a":"\udc00","a":"€𝄞"}"#,
        "nested": #" [[[{"a":{"b":[null,false,true,[]]}},{}]]] "#, "broken": #"{"a":[1,2,"#,
        "deep": String(repeating: "[", count: 600),
    ].mapValues { [0] + Array($0.utf8) }

    static let streams = [
        "fields": "\u{feff}: hello\nevent: first\ndata: one\n\ndata:two\r\ndata\r\ndata:  three: é😀\r\n\r\nid: 7\rdata: four\r\r",
        "ids":
            "event: lost\n\nid: a\0b\nretry: 10\ndatax: no\ndata:\n\nunknown: x\nevent:second\ndata: {\"a\":1}\n\n:c\n\ndata: t",
        "limit": "data: " + String(repeating: "x", count: 26) + "\n\ndata: y\n\n",
    ].reduce(into: [String: [UInt8]]()) { seeds, stream in
        seeds[stream.key] = [0, 0] + Array(stream.value.utf8)
        // A limit of 32 bytes, pieces of 1, 5 and 8.
        seeds["\(stream.key)-short"] = [4, 3, 0, 4, 7] + Array(stream.value.utf8)
    }
}
