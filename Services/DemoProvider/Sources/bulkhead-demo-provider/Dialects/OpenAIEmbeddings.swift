import BulkheadJSON
import NIOHTTP1

/// POST /v1/embeddings.
enum OpenAIEmbeddings {
    static let defaultDimensions = 1536
    static let mostDimensions = 4096
    static let mostInputs = 2048

    struct Request {
        var model: String
        var inputs: [String]
        var dimensions: Int
        var isBase64: Bool
    }

    static func request(_ body: JSON) throws(BadRequest) -> Request {
        let ask = try Ask(model: body["model"])
        let dimensions = try Ask.positive("dimensions", of: body) ?? defaultDimensions
        guard dimensions <= mostDimensions else {
            let message = "dimensions is \(dimensions); at most \(mostDimensions) are possible"
            throw BadRequest(message: message, parameter: "dimensions")
        }
        let inputs = try inputs(of: body["input"])
        let isBase64 = body["encoding_format"]?.string == "base64"
        return Request(model: ask.model, inputs: inputs, dimensions: dimensions, isBase64: isBase64)
    }

    /// Texts as they are; a list of token numbers stands for the text of its JSON.
    private static func inputs(of input: JSON?) throws(BadRequest) -> [String] {
        if let text = input?.string { return [text] }
        guard let input, let list = input.array, !list.isEmpty, list.count <= mostInputs || list[0].int != nil else {
            throw BadRequest(message: "input must be a text or a list of 1 to \(mostInputs) texts", parameter: "input")
        }
        if list[0].int != nil { return [input.text()] }
        return list.map { $0.string ?? $0.text() }
    }

    static func write(_ request: Request, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.field("object", "list")
            writer.array("data") { writer in
                for (index, input) in request.inputs.enumerated() {
                    writer.object { write(input, index: index, request, &$0) }
                }
            }
            writer.field("model", request.model)
            let tokens = request.inputs.reduce(0) { $0 + Tokens.count($1) }
            writer.object("usage") { writer in
                writer.field("prompt_tokens", tokens)
                writer.field("total_tokens", tokens)
            }
        }
    }

    private static func write(_ input: String, index: Int, _ request: Request, _ writer: inout JSONWriter) {
        let vector = Embedding.vector(of: input, dimensions: request.dimensions)
        writer.field("object", "embedding")
        writer.field("index", index)
        if request.isBase64 { return writer.field("embedding", Embedding.base64(vector)) }
        writer.array("embedding") { writer in
            for value in vector { writer.value(value) }
        }
    }
}
