import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

@Suite("Why a request missed") struct CacheExplainTests {
    private let recent = RecentRequests()

    private func chat(_ change: (inout ChatAPI.ChatRequest) -> Void = { _ in }) -> ChatAPI.ChatRequest {
        var chat = ChatAPI.ChatRequest(
            model: "m", messages: [.init(role: .user, parts: [.init(kind: .text, text: "hello")])], temperature: 0.5,
            dialect: .openaiChat)
        change(&chat)
        return CanonicalChat.of(chat)
    }

    private func note(_ chat: ChatAPI.ChatRequest, id: String, tenant: String = "t", at second: Int = 1) throws {
        let metadata = CallMetadata(requestID: id, tenant: tenant, user: "user:u")
        let key = try CacheKey(chat, alias: "m", partition: CachePartition(metadata))
        recent.note(key, chat, alias: "m", metadata, now: MonotonicTime(nanoseconds: 0) + .seconds(second))
    }

    @Test("the fields that differ are named, and nothing of what they hold")
    func differences() throws {
        let one = try FieldDigests(chat())
        func differing(_ change: (inout ChatAPI.ChatRequest) -> Void) throws -> [String] {
            try FieldDigests(chat(change)).differences(from: one)
        }
        #expect(try differing { _ in } == [])
        #expect(try differing { $0.temperature = 0.6 } == ["temperature"])
        #expect(try differing { $0.messages[0].parts[0].text = "bye" } == ["messages[0].parts[0].text"])
        #expect(
            try differing {
                $0.seed = 1; $0.endUser = "a"
            } == ["end_user", "seed"])
        #expect(try differing { $0.messages.append(.init(role: .user)) } == ["messages[1].role"])
        #expect(!"\(one)".contains("hello"))
    }

    @Test("of long conversations the message that differs is named, and the memory of any is bounded")
    func longConversations() throws {
        func long(_ count: Int, _ last: String) throws -> FieldDigests {
            try FieldDigests(
                chat { chat in
                    chat.messages = (0 ..< count).map { index in
                        .init(role: .user, parts: [.init(kind: .text, text: index == count - 1 ? last : "\(index)")])
                    }
                })
        }
        #expect(try long(20, "a").differences(from: long(20, "b")) == ["messages[19]"])
        #expect(try long(5000, "a").differences(from: long(5000, "b")) == ["(rest)"])
    }

    @Test("the nearest request is the one with the fewest differences, of the partition that is asked about")
    func nearest() throws {
        try note(
            chat {
                $0.temperature = 0.9; $0.seed = 1
            }, id: "far")
        try note(chat { $0.temperature = 0.9 }, id: "near")
        try note(chat(), id: "equal, but another's", tenant: "other")
        let found = recent.nearest(to: try FieldDigests(chat())) { $0.partition.tenant == "t" }
        #expect(found?.requestID == "near")
    }

    @Test("the last ones are remembered, the oldest goes, and a purge forgets")
    func ring() throws {
        for index in 0 ..< RecentRequests.most + 3 { try note(chat(), id: "\(index)", at: index) }
        #expect(recent.find(requestID: "2") == nil && recent.find(requestID: "3") != nil)
        try note(chat(), id: "kept", tenant: "other", at: 9999)
        recent.forget(tenant: "t")
        #expect(recent.find(requestID: "5") == nil && recent.find(requestID: "kept") != nil)
        recent.forget(tenant: nil)
        #expect(recent.find(requestID: "kept") == nil)
    }

    @Test("a body in OpenAI's form is read to the canonical form")
    func requestFile() throws {
        let chat = try RequestFile.chat(
            #"{"model":"m","messages":[{"role":"user","content":"hello"}],"temperature":0.5,"user":"a","x":1,"stream":true}"#)
        #expect(chat.messages == [.init(role: .user, parts: [.init(kind: .text, text: "hello")])])
        #expect(chat.temperature == 0.5 && chat.endUser == "a" && chat.extraJson == #"{"x":1}"#)
        #expect(throws: RequestSketch.Unreadable.self) { try RequestFile.chat("[]") }
        #expect(throws: RequestSketch.Unreadable.self) { try RequestFile.chat(#"{"model":"m"}"#) }
    }
}
