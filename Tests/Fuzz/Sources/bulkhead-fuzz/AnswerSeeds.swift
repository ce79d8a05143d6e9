import NIOCore
import RouterService

/// Inputs to begin with for what providers send: answers as the golden cases have them, and errors.
enum AnswerSeeds {
    private static let goldens =
        OpenAIGolden.answers + AnthropicGolden.answers + ResponsesGolden.answers + GeminiGolden.answers + BedrockGolden.answers
    /// Pieces of 1, 16, 3 and 640 bytes in turn.
    private static let pieces: [UInt8] = [4, 0, 15, 2, 137]

    static func all() -> [String: [String: [UInt8]]] {
        var answers = errors.merging(embeddings) { one, _ in one }
        var (documents, streams): ([String: [UInt8]], [String: [UInt8]]) = ([:], [:])
        for golden in goldens {
            let name = "\(golden.dialect.rawValue)-\(slug(golden.name))"
            let bytes = Array(golden.bytes.readableBytesView)
            switch golden.wire {
            case .whole:
                answers[name] = [AnswerCheck.kind(golden.dialect, choices: golden.choices, AnswerCheck.whole), 0] + bytes
                documents[name] = [0] + bytes
            case .stream:
                answers[name] = [AnswerCheck.kind(golden.dialect, choices: golden.choices)] + pieces + bytes
                streams[name] = [0] + pieces + bytes
            case .frames(let frames):
                let script = frames.map { "\($0.0) \($0.1)\n" }.joined()
                answers[name] = [AnswerCheck.kind(.bedrock, AnswerCheck.framed)] + pieces + Array(script.utf8)
                answers["\(name)-raw"] = [AnswerCheck.kind(.bedrock)] + pieces + bytes
            }
        }
        return [
            "answers": answers, "json": documents.merging(JSONSeeds.documents) { one, _ in one },
            "sse": streams.merging(JSONSeeds.streams) { one, _ in one },
        ]
    }

    private static func slug(_ name: String) -> String {
        String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    }

    /// By name: the number of a status, and the answer from its headers on.
    private static let errors = [
        "openai": (
            6,
            "\n{\"error\":{\"message\":\"No such model: gpt-9\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"model_not_found\"}}"
        ),
        "anthropic": (
            15,
            "retry-after: 7\nrequest-id: r\n\n{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"
        ),
        "gemini": (
            10,
            "\n{\"error\":{\"code\":429,\"message\":\"Quota exceeded\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34.07s\"}]}}"
        ),
        "bedrock": (
            0, "x-amzn-errortype: ValidationException:http://x\n\n{\"message\":\"Input is too long for requested model.\"}"
        ),
        "detail": (9, "retry-after-ms: 1500\n\n{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"field required\"}]}"),
        "page": (12, "retry-after: Sun, 06 Nov 2044 08:49:37 GMT\n\n<html>\r\n<h1>Bad gateway</h1></html>"),
        "key": (1, "\n{\"error\":{\"message\":\"Incorrect API key provided: sk-abcdefghijklmnop. Bearer abcdefghijklmnop\"}}"),
    ].reduce(into: [String: [UInt8]]()) { seeds, error in
        seeds["error-\(error.key)"] = [AnswerCheck.failure, UInt8(error.value.0)] + Array(error.value.1.utf8)
    }

    private static let embeddings = [
        "embeddings-two": [AnswerCheck.embeddings | 1 << 5]
            + Array(
                #"{"object":"list","data":[{"index":1,"embedding":[0.5,-1e-7]},{"index":0,"embedding":[1,2]}],"model":"m","usage":{"prompt_tokens":8,"total_tokens":8}}"#
                    .utf8)
    ]
}
