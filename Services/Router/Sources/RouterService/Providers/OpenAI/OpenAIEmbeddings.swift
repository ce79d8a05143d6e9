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
        guard let answer = try? JSON.parse(bytes), let rows = answer["data"]?.array else {
            throw .malformed("answered 200 without embeddings")
        }
        var vectors = [RouterAPI.Vector?](repeating: nil, count: count)
        for (position, row) in rows.enumerated() {
            let index = row["index"]?.int ?? position
            guard vectors.indices.contains(index), let numbers = row["embedding"]?.array else {
                throw .malformed("sent an embedding that belongs to no input")
            }
            let values = numbers.compactMap { $0.double.map { Float($0) } }
            guard values.count == numbers.count, !values.isEmpty else {
                throw .malformed("sent an embedding that is no list of numbers")
            }
            vectors[index] = RouterAPI.Vector(values: values)
        }
        let complete = vectors.compactMap { $0 }
        guard complete.count == count else { throw .malformed("sent \(complete.count) embeddings for \(count) inputs") }
        return (complete, max(0, answer["usage"]?["prompt_tokens"]?.int ?? 0))
    }
}
