import BulkheadAPI
import BulkheadJSON
import NIOCore

/// The way providers count the input of a chat themselves: the request of a chat, at another address and without what is about
/// the answer.
package struct ProviderCount: Sendable {
    package let request: UpstreamRequest
    /// The member of the answer with the number.
    private let answer: String

    /// The largest answer that is read.
    package static let maxAnswer = 64 << 10

    /// What of a request is about the answer or about the account: Anthropic's count_tokens refuses it. All else goes on, what is
    /// not known here too.
    private static let aboutAnswer: Set<String> = [
        "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "metadata", "service_tier",
    ]

    /// nil when the dialect has no such thing. - Throws: what `ChatEncoding` does.
    package init?(_ chat: ChatAPI.ChatRequest, for target: Target) throws {
        guard target.dialect == .anthropic || target.dialect == .gemini else { return nil }
        var request = try ChatEncoding.request(chat, for: target, defaultMaxTokens: ModelConfiguration.defaultMaxTokens)
        guard let members = try JSON.parse(request.body).object else { return nil }
        var body = JSONObject()
        if target.dialect == .anthropic {
            for (name, value) in members where !Self.aboutAnswer.contains(name) { body.append(name, value) }
            request.path += "/count_tokens"
            answer = "input_tokens"
        } else {
            // Only inside a whole request are system text and tools counted.
            guard let colon = request.path.lastIndex(of: ":") else { return nil }
            var whole: JSONObject = ["model": .string("models/\(ModelName(target.model).bare)")]
            for (name, value) in members where name != "model" { whole.append(name, value) }
            body.append("generateContentRequest", .object(whole))
            request.path = "\(request.path[..<colon]):countTokens"
            request.query = nil
            answer = "totalTokens"
        }
        request.body = JSON.object(body).bytes()
        request.expectsStream = false
        self.request = request
    }

    /// The number in the provider's answer; nil when it is not there.
    package func tokens(_ body: ByteBuffer) -> Int? {
        guard let number = (try? JSON.parse(body))?[answer]?.int, number >= 0 else { return nil }
        return number
    }
}
