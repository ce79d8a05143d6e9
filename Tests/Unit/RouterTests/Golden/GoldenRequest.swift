import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import RouterService
import Testing

/// One canonical request, and what a dialect makes of it.
struct GoldenRequest: Sendable, CustomTestStringConvertible {
    let chat: String
    let dialect: ProviderDialect
    let model: String
    /// The path, the headers of the dialect, and the body; or why it cannot be said.
    let expected: String

    var testDescription: String { "\(dialect.rawValue): \(chat)" }

    /// What the dialect makes of the request now.
    func made() -> String {
        guard let chat = GoldenChats.all[chat] else { return "no such request" }
        let target = Target(provider: "p", destination: "d", dialect: dialect, model: model)
        do {
            let request = try ChatEncoding.request(chat, for: target, defaultMaxTokens: 4096)
            let headers = request.headers.map { " \($0.name)=\($0.value)" }.joined()
            return "\(request.path)\(request.query.map { "?\($0)" } ?? "")\(headers)\n\(String(buffer: request.body))"
        } catch let error as CallError {
            return "refused: \(error.message)"
        } catch {
            return "\(error)"
        }
    }
}
