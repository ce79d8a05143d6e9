import BulkheadJSON
import NIOCore
import Testing

private enum Refused: Error { case refused }

/// What `body` makes of a document; nil when the view refuses it.
private func view<Value>(_ text: String, maxDepth: Int = 64, _ body: (JSONView) -> Value) -> Value? {
    do throws(Refused) {
        return try JSONView.read(ByteBuffer(string: text), maxDepth: maxDepth, or: .refused) { (root) throws(Refused) in
            body(root)
        }
    } catch {
        return nil
    }
}

/// Whether every question to the view has the answer that the tree gives.
private func agree(_ view: JSONView, _ json: JSON) -> Bool {
    guard view.json == json, view.string == json.string, view.spelling?.string == json.string, view.int == json.int,
        view.double == json.double, view.bool == json.bool, view.isNull == json.isNull, view.isObject == (json.object != nil),
        view.isArray == (json.array != nil), view.isEmptyArray == (json.array?.isEmpty ?? false)
    else { return false }
    let elements = json.array ?? []
    guard Array(view.elements).count == elements.count, view.elements.isEmpty == elements.isEmpty,
        (view.elements.only != nil) == (elements.count == 1), zip(view.elements, elements).allSatisfy(agree)
    else { return false }
    let members = json.object ?? [:]
    guard view.members.isEmpty == members.isEmpty, view.members.map(\.name.string) == members.map(\.name) else { return false }
    guard zip(view.members, members).allSatisfy({ agree($0.value, $1.value) }) else { return false }
    let names: [(StaticString, String)] = [("a", "a"), ("text", "text"), ("", ""), ("index", "index"), ("none", "none")]
    return names.allSatisfy { view[$0.0]?.json == json[$0.1] }
}

struct JSONViewTests {
    private static func document(_ generator: inout SeededGenerator, depth: Int = 0) -> String {
        let scalars = [
            "null", "true", "false", "0", "-7", "1.0", "1.5", "1e3", "9223372036854775807", "18446744073709551615",
            "123456789012345678901234567890", #""""#, #""text""#, #""a\u0041\n""#, #""é🙂""#, #""a\u0000b""#,
        ]
        let kind = Int.random(in: 0 ..< (depth < 5 ? 4 : 2), using: &generator)
        let count = Int.random(in: 0 ..< 5, using: &generator)
        switch kind {
        case 2: return "[" + (0 ..< count).map { _ in document(&generator, depth: depth + 1) }.joined(separator: ", ") + "]"
        case 3:
            let names = ["a", "text", "", "index", "te\\u0078t", "é", "long name of a member"]
            let members = (0 ..< count).map { _ in
                "\"\(names.randomElement(using: &generator) ?? "")\":" + document(&generator, depth: depth + 1)
            }
            return "{" + members.joined(separator: ",") + "}"
        default: return scalars.randomElement(using: &generator) ?? "null"
        }
    }

    @Test("a view says of every document and all its parts what the tree says", arguments: 0 ..< 500)
    func sameAsTree(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0 ..< 20 {
            let text = Self.document(&generator)
            let json = try JSON.parse(text)
            #expect(view(text) { agree($0, json) } == true, "\(text)")
        }
    }

    @Test("a view refuses what the tree refuses, cut or damaged anywhere", arguments: 0 ..< 100)
    func sameRefusals(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let text = Array(Self.document(&generator).utf8)
        for place in text.indices {
            for bytes in [
                Array(text[..<place]), text[..<place] + [0x22] + text[place...], text[..<place] + [0x5b] + text[place...],
            ] {
                let damaged = String(decoding: bytes, as: UTF8.self)
                #expect((view(damaged) { _ in true } ?? false) == ((try? JSON.parse(damaged)) != nil), "\(damaged)")
            }
        }
    }

    @Test("a view nests as deep as allowed, wherever the depth is")
    func depth() {
        for (before, after) in [("", ""), (#"{"a":[1,{"b":2}],"c":"#, "}"), ("[1.5,[],", "]")] {
            for levels in 1 ... 6 {
                let text = before + String(repeating: "[", count: levels) + String(repeating: "]", count: levels) + after
                for limit in 1 ... 8 {
                    #expect(
                        (view(text, maxDepth: limit) { _ in true } ?? false) == ((try? JSON.parse(text, maxDepth: limit)) != nil))
                }
            }
        }
    }

    @Test("a view refuses a document of too many values")
    func values() {
        let most = "[" + String(repeating: "0,", count: JSON.mostValues - 2) + "0]"
        #expect(view(most) { _ in true } == true)
        #expect(view("[" + String(repeating: "0,", count: JSON.mostValues - 1) + "0]") { _ in true } == nil)
    }

    @Test("a document can be read while another one is, and keeps what it says")
    func nested() throws {
        let same = view(#"{"text":"outer","a":[1,2]}"#) { outer in
            let inner = view(#"{"text":"inner and longer than the other one","a":{}}"#) { $0["text"]?.string }
            let tree = try? JSON.parse(#"["tree"]"#)
            return inner == "inner and longer than the other one" && tree == ["tree"] && outer["text"]?.string == "outer"
                && outer["a"]?.json == [1, 2]
        }
        #expect(same == true)
    }

    @Test("a spelling matches its own text and no other")
    func spelling() {
        let found = view(#"["text", "tex", "textx", "", "t\u0065xt"]"#) { root in
            root.elements.map { element in
                switch element.spelling {
                case "text": 1
                case "": 2
                default: 0
                }
            }
        }
        #expect(found == [1, 0, 0, 2, 1])
    }
}
