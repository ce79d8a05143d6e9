import EdgeService
import Testing

@Suite("The field Idempotency-Key")
struct IdempotencyKeyTests {
    @Test(
        "A String, its parameters ignored, and a bare key name the same",
        arguments: [
            "abc-1", "\"abc-1\"", "  \"abc-1\"  ", "\"abc-1\";a=1;b", "abc-1; q=2", "\"abc-1\" ",
        ])
    func accepted(value: String) throws { #expect(try IdempotencyKeyField.key(value) == "abc-1") }

    @Test("Escapes are resolved, and the bound counts the key alone")
    func escapes() throws {
        #expect(try IdempotencyKeyField.key(#""a\"b\\c""#) == #"a"b\c"#)
        let longest = String(repeating: "k", count: 255)
        #expect(try IdempotencyKeyField.key("\"\(longest)\";x=y") == longest)
        #expect(try IdempotencyKeyField.key("8e03978e-40d5-43dd-bc93-6894a57f9324") == "8e03978e-40d5-43dd-bc93-6894a57f9324")
        #expect(try IdempotencyKeyField.key("c2VjcmV0+/==") == "c2VjcmV0+/==")
    }

    @Test(
        "What is no key is refused before anything is asked",
        arguments: [
            "", "  ", "\"\"", "\"abc", "\"a\\b\"", "\"a\"b", "a b", "\"a b\"", "a,b", "\"a\", \"b\"", "a\u{7}b", "a\tb",
            "schlüssel", "a\"b",
            String(repeating: "k", count: 256),
        ])
    func refused(value: String) {
        let error = #expect(throws: EdgeError.self) { try IdempotencyKeyField.key(value) }
        #expect(error?.code == "idempotency_key_invalid" && error?.status == 400)
        if value.count > 3 { #expect(error?.message.contains(value) == false, "it is not quoted") }
    }
}

@Suite("Last-Event-ID")
struct EventIDTests {
    @Test(
        "The id of an event, or its number",
        arguments: ["st_aB3-x_9.1.42", "0", "17", "elsewhere.1.2", "st_x.999999999999999999.0"])
    func accepted(_ text: String) { #expect(EventID.isWellFormed(text)) }

    @Test(
        "Anything else is none",
        arguments: [
            "", "-1", "1.5", "st_x", "st_x.1", "st_x.1.x", "st_x.-1.2", ".1.2", "st_x..2", "st_x.1.2.3", " 1", "1,2", "st x.1.2",
            "9999999999999999999",
        ])
    func refused(_ text: String) { #expect(!EventID.isWellFormed(text)) }
}
