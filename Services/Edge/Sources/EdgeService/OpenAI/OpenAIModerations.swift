import BulkheadAPI
import BulkheadIPC
import BulkheadJSON
import HTTPTypes
import NIOCore

/// OpenAI's moderations: the request is passed on, but for what is edge's. Source: OpenAI API reference, "Create moderation".
struct OpenAIModerations: SingleCall {
    private let request: RouterAPI.ModerateRequest
    let endUser: String?

    /// - Throws: `EdgeError` 400 naming the member that is wrong.
    init(_ body: JSON, _ headers: RequestHeaders) throws {
        let fields = try RequestFields(body: body)
        guard let input = fields.value("input") else { throw fields.missing("input") }
        guard input.string != nil || input.array?.isEmpty == false else {
            throw fields.wrong("input", "a string or an array of texts or content parts")
        }
        _ = try BulkheadOptions(fields)
        endUser = try fields.string("safety_identifier") ?? fields.string("user")
        request = RouterAPI.ModerateRequest(
            model: try fields.string("model") ?? "", body: JSON.object(fields.rest(besides: ["bulkhead"])).bytes())
    }

    var model: String { request.model }

    func estimatedTokens(bodyBytes: Int) -> Int { bodyBytes / 4 }

    func run(_ router: RouterClient, _ options: CallOptions) async throws -> SingleAnswer {
        let reply = try await router.moderate(request, options)
        return SingleAnswer(served: reply.served, usage: reply.usage, body: reply.body ?? ByteBuffer())
    }
}
