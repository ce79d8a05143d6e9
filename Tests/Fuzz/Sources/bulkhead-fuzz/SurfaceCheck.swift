import BulkheadAPI
import BulkheadJSON
import EdgeService
import NIOCore

/// The body of a request is refused in bounded words that name a member, or it is a canonical request that travels unchanged.
///
/// Input: a byte for the surface, then the body.
enum SurfaceCheck {
    static let (chat, responses, messages, count, embeddings): (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 1, 2, 3, 4)

    /// Bytes of what a refusal says beside the path of the member, and of a path: as many names as objects nest.
    private static let (mostWords, mostPath) = (400, 64 * 70)
    /// Names and lengths of the wire beside what the client wrote, and escapes.
    private static let (most, mostGrowth) = (1024, 16)

    /// - Returns: the chat, if the input is one.
    @discardableResult
    static func check(_ input: some Sequence<UInt8>) throws -> ChatAPI.ChatRequest? {
        var input = InputBytes(input)
        let surface = input.next() % 5
        let bytes = input.takeRest()
        do {
            let body = try RequestJSON.parse(ByteBuffer(bytes: bytes))
            if surface == embeddings {
                let request = try OpenAIEmbeddings(body).request
                try check(try request.encoded(), bytes.count)
                let again = try RouterAPI.EmbedRequest.decoded(request.encoded())
                try promise(again == request, "not the same: \(request)")
                return nil
            }
            let chat = try decode(body, surface)
            try check(try chat.encoded(), bytes.count)
            let again = try ChatAPI.ChatRequest.decoded(chat.encoded())
            try promise(again == chat, "not the same on the other side: \(chat)")
            try check(chat)
            return chat
        } catch let refusal as EdgeError {
            try check(refusal)
            return nil
        }
    }

    private static func decode(_ body: JSON, _ surface: UInt8) throws -> ChatAPI.ChatRequest {
        switch surface {
        case chat: try OpenAIChat().decode(body).chat
        case responses: try ResponsesChat().decode(body).chat
        case messages: try AnthropicChat().decode(body).chat
        default: try TokenCount.decode(body).chat
        }
    }

    private static func check(_ refusal: EdgeError) throws {
        try promise(refusal.status == 400, "refused with \(refusal.status): \(refusal)")
        let isWhole = refusal.code == "invalid_json" || refusal.message.hasPrefix("The request body must be a JSON object")
        try promise(isWhole || refusal.param?.isEmpty == false, "no member is named: \(refusal)")
        let path = refusal.param?.utf8.count ?? 0
        let isBounded = path <= mostPath && refusal.code.utf8.count <= 64 && refusal.message.utf8.count <= mostWords + 2 * path
        try promise(isBounded, "too many words: \(refusal)")
        for shape in [ErrorShape.openAI, .anthropic, .problem] {
            let body = refusal.body(shape, requestID: "r")
            try promise((try? JSON.parse(body)) != nil, "the answer is no JSON: \(String(buffer: body))")
        }
    }

    private static func check(_ message: ByteBuffer, _ count: Int) throws {
        let size = message.readableBytes
        try promise(size <= most + mostGrowth * count, "\(count) bytes became \(size)")
    }

    private static func check(_ chat: ChatAPI.ChatRequest) throws {
        try promise(!chat.model.isEmpty && !chat.messages.isEmpty, "no model or no messages: \(chat)")
        try promise((1 ... 128).contains(chat.choices ?? 1) && (chat.maxTokens ?? 1) >= 1, "cannot be answered: \(chat)")
        try promise((0 ... 20).contains(chat.topLogprobs ?? 0) && (chat.reasoningBudget ?? 0) >= 0, "wrong: \(chat)")
        let parts = chat.messages.flatMap(\.parts)
        let documents =
            [chat.extraJson, chat.responseFormatJson] + chat.tools.flatMap { [$0.rawJson, $0.extraJson] }
            + chat.messages.map(\.extraJson) + parts.map(\.extraJson) + parts.map { $0.kind == .raw ? $0.json : nil }
        for document in documents.compactMap({ $0 }) {
            try promise((try? JSON.parse(document)) != nil, "no JSON inside a request: \(document)")
        }
    }
}
