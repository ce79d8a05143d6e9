import BulkheadAPI
import BulkheadCore
import RouterService
import Testing

struct LeftAnswersTests {
    private let left = LeftAnswers(eventLoop: ImmediateLoop())
    private let usage = ChatAPI.Usage(inputTokens: 3, outputTokens: 4, costNanousd: 5)
    private let served = ChatAPI.Served(provider: "a")

    private func metadata(_ id: String, tenant: String = "t") -> CallMetadata { CallMetadata(requestID: id, tenant: tenant) }

    @Test("the cost of an answer whose caller left is told once, to its own tenant")
    func once() async {
        left.end(left.begin(metadata("r")), usage, served)
        #expect(await left.take(tenant: "other", requestID: "r") == .init())
        #expect(await left.take(tenant: "t", requestID: "r") == .init(usage: usage, served: served))
        #expect(await left.take(tenant: "t", requestID: "r") == .init())
    }

    @Test("of an answer that came to its end, or never began, there is nothing to tell")
    func nothing() async {
        left.end(left.begin(metadata("r")), nil, served)
        #expect(await left.take(tenant: "t", requestID: "r") == .init())
        #expect(await left.take(tenant: "t", requestID: "unknown") == .init())
    }

    @Test("a question about a running call does not wait for ever")
    func running() async {
        let visit = left.begin(metadata("r"))
        #expect(await left.take(tenant: "t", requestID: "r") == .init())
        left.end(visit, usage, served)
        #expect(await left.take(tenant: "t", requestID: "r").usage == usage)
    }

    @Test("only the last answers are remembered")
    func bounded() async {
        for number in 0 ..< 5000 { left.end(left.begin(metadata("\(number)")), usage, served) }
        #expect(await left.take(tenant: "t", requestID: "0") == .init())
        #expect(await left.take(tenant: "t", requestID: "4999").usage == usage)
    }
}
