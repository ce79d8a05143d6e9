import BulkheadAPI
import BulkheadCore
import BulkheadJSON
import NIOCore

/// `POST /v1/embeddings`.
package enum OpenAIEmbeddings {
    /// Numbers are asked for as text (`float`): every compatible server has it.
    /// - Throws: `CallError` INVALID_ARGUMENT for JSON inside the request that is none.
    package static func request(_ request: RouterAPI.EmbedRequest, model: String) throws -> UpstreamRequest {
        let tokens = try request.tokenInputsJson.map { try NotExpressible.parse($0, what: "input") }
        var body: JSONObject = [
            "model": .string(model), "input": tokens ?? .array(request.inputs.map { .string($0) }), "encoding_format": "float",
        ]
        body.add("dimensions", .number(request.dimensions))
        body.add("user", .text(request.endUser))
        try body.merge(request.extraJson, what: "the request")
        return UpstreamRequest(path: "/v1/embeddings", body: JSON.object(body).bytes(), expectsStream: false)
    }

    /// The vectors in the order of the inputs.
    package static func decode(_ bytes: ByteBuffer, count: Int) throws(DecodeFault) -> (
        vectors: [RouterAPI.Vector], inputTokens: Int
    ) {
        try JSONView.read(bytes, or: .malformed("answered 200 without embeddings")) { (answer) throws(DecodeFault) in
            (try vectors(answer["data"], count), DecodeBounds.count(answer["usage"]?["prompt_tokens"]) ?? 0)
        }
    }

    private static func vectors(_ data: JSONView?, _ count: Int) throws(DecodeFault) -> [RouterAPI.Vector] {
        guard let data, data.isArray else { throw .malformed("answered 200 without embeddings") }
        var vectors = [RouterAPI.Vector?](repeating: nil, count: count)
        for (position, row) in data.elements.enumerated() {
            let index = row["index"]?.int ?? position
            guard vectors.indices.contains(index), let numbers = row["embedding"], numbers.isArray else {
                throw .malformed("sent an embedding that belongs to no input")
            }
            vectors[index] = RouterAPI.Vector(values: try values(numbers))
        }
        let complete = vectors.compactMap { $0 }
        guard complete.count == count else { throw .malformed("sent \(complete.count) embeddings for \(count) inputs") }
        return complete
    }

    private static func values(_ numbers: JSONView) throws(DecodeFault) -> [Float] {
        var values: [Float] = []
        for number in numbers.elements {
            guard let value = number.double.map({ Float($0) }), value.isFinite else {
                throw .malformed("sent an embedding that is no list of numbers")
            }
            values.append(value)
        }
        guard !values.isEmpty else { throw .malformed("sent an embedding that is no list of numbers") }
        return values
    }
}
