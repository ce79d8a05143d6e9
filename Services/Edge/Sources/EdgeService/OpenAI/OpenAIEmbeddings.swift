import BulkheadAPI
import BulkheadJSON
import NIOCore

/// OpenAI's embeddings. Source: OpenAI API reference, "Create embeddings".
package struct OpenAIEmbeddings: Sendable, Equatable {
    /// Texts in one request, OpenAI's limit.
    private static let mostInputs = 2048

    /// The canonical request.
    package var request: RouterAPI.EmbedRequest
    /// The vectors are wanted as base64 of little-endian floats; most clients ask for that.
    package var wantsBase64: Bool

    /// - Throws: `EdgeError` 400 naming the member that is wrong.
    package init(_ body: JSON) throws {
        let fields = try RequestFields(body: body)
        let model = try fields.requiredString("model")
        if model.isEmpty { throw fields.wrong("model", "the name of a model") }
        request = RouterAPI.EmbedRequest(
            model: model, inputs: try Self.inputs(fields), dimensions: try fields.int("dimensions", in: 1 ... 65_536),
            endUser: try fields.string("user"))
        switch try fields.string("encoding_format") {
        case nil, "float": wantsBase64 = false
        case "base64": wantsBase64 = true
        default: throw fields.wrong("encoding_format", "float or base64")
        }
    }

    private static func inputs(_ fields: RequestFields) throws -> [String] {
        if let items = fields.value("input")?.array, let first = items.first, first.array != nil || first.int != nil {
            throw EdgeError(
                .badRequest, code: "unsupported", message: "input as token numbers is not supported; send text.", param: "input")
        }
        guard let inputs = try fields.strings("input") else { throw fields.missing("input") }
        guard (1 ... mostInputs).contains(inputs.count) else { throw fields.wrong("input", "from 1 to \(mostInputs) texts") }
        if let empty = inputs.firstIndex(of: "") {
            let param = inputs.count == 1 ? "input" : "input[\(empty)]"
            throw EdgeError.field(param, "\(param) must not be empty.")
        }
        return inputs
    }

    /// The answer's body.
    package func encode(_ reply: RouterAPI.EmbedReply) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("object", "list")
            writer.array("data") { list in
                for (index, vector) in reply.vectors.enumerated() { write(vector.values, index, to: &list) }
            }
            writer.field("model", reply.served?.model ?? request.model)
            writer.object("usage") {
                $0.field("prompt_tokens", reply.inputTokens)
                $0.field("total_tokens", reply.inputTokens)
            }
        }
        return writer.buffer
    }

    private func write(_ values: [Float], _ index: Int, to list: inout JSONWriter) {
        list.object { writer in
            writer.field("object", "embedding")
            writer.field("index", index)
            if wantsBase64 {
                writer.field("embedding", Base64.encode(values))
            } else {
                writer.array("embedding") { numbers in for value in values { numbers.value(value) } }
            }
        }
    }
}

/// RFC 4648 §4.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The floats' bytes, little-endian.
    static func encode(_ values: [Float]) -> String {
        let bytes = values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian, Array.init) }
        return encode(bytes)
    }

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group = UInt32(bytes[start]) << 16
            if count > 1 { group |= UInt32(bytes[start + 1]) << 8 }
            if count > 2 { group |= UInt32(bytes[start + 2]) }
            for place in 0 ..< 4 {
                text.append(place <= count ? alphabet[Int(group >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
