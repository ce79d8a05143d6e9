import BulkheadJSON
import NIOHTTP1

/// The error object that chat, responses and embeddings share.
enum OpenAIError {
    static func write(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.object("error") { writer in
                writer.field("message", error.message)
                writer.field("type", type(of: status))
                writer.field("param", error.parameter.map(JSON.string) ?? .null)
                writer.field("code", code(of: status).map(JSON.string) ?? .null)
            }
        }
    }

    static func type(of status: HTTPResponseStatus) -> String {
        switch status.code {
        case 401: "authentication_error"
        case 403: "permission_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    static func code(of status: HTTPResponseStatus) -> String? {
        switch status.code {
        case 401: "invalid_api_key"
        case 404: "model_not_found"
        case 429: "rate_limit_exceeded"
        case 500...: "server_error"
        default: nil
        }
    }
}
