import BulkheadAPI
import BulkheadIPC
import BulkheadJSON
import HTTPTypes

/// Anthropic's `count_tokens`: the request of a message, without its answer.
struct AnthropicTokenCount: SingleCall {
    private let call: ChatCall

    /// - Throws: `EdgeError` 400 naming the member that is wrong.
    init(_ body: JSON, _ headers: RequestHeaders) throws {
        var call = try AnthropicRequest.decode(body, counts: true)
        call.apply(headers)
        self.call = call
    }

    var model: String { call.chat.model }
    var endUser: String? { call.chat.endUser }

    /// Counting costs a request and no tokens.
    func estimatedTokens(bodyBytes: Int) -> Int { 0 }

    func run(_ router: RouterClient, _ options: CallOptions) async throws -> SingleAnswer {
        let reply = try await router.countTokens(RouterAPI.CountTokensRequest(chat: call.chat), options)
        var writer = JSONWriter()
        writer.object { $0.field("input_tokens", reply.inputTokens) }
        return SingleAnswer(
            served: reply.served, usage: ChatAPI.Usage(costNanousd: 0, estimated: reply.estimated), body: writer.buffer)
    }
}
