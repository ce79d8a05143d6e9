import BulkheadAPI
import BulkheadIPC
import BulkheadJSON
import HTTPTypes
import NIOCore

/// OpenAI's embeddings. Source: OpenAI API reference, "Create embeddings".
package struct OpenAIEmbeddings: Sendable, Equatable {
    /// Texts in one request, OpenAI's limit.
    private static let mostInputs = 2048
    private static let known: Set<String> = ["model", "input", "dimensions", "encoding_format", "user", "bulkhead"]

    /// The canonical request.
    package var request: RouterAPI.EmbedRequest
    /// The vectors are wanted as base64 of little-endian floats; most clients ask for that.
    package var wantsBase64: Bool

    /// - Throws: `EdgeError` 400 naming the member that is wrong.
    package init(_ body: JSON) throws {
        let fields = try RequestFields(body: body)
        let model = try fields.requiredString("model")
        if model.isEmpty { throw fields.wrong("model", "the name of a model") }
        _ = try BulkheadOptions(fields)
        request = RouterAPI.EmbedRequest(
            model: model, dimensions: try fields.int("dimensions", in: 1 ... 65_536), endUser: try fields.string("user"),
            extraJson: fields.extra(besides: Self.known))
        switch try fields.string("encoding_format") {
        case nil, "float": wantsBase64 = false
        case "base64": wantsBase64 = true
        default: throw fields.wrong("encoding_format", "float or base64")
        }
        try readInput(fields)
    }

    private mutating func readInput(_ fields: RequestFields) throws {
        if let items = fields.value("input")?.array, let first = items.first, first.array != nil || first.int != nil {
            request.tokenInputsJson = try Self.tokens(first.array == nil ? [.array(items)] : items, isList: first.array != nil)
            return
        }
        guard let inputs = try fields.strings("input") else { throw fields.missing("input") }
        guard (1 ... Self.mostInputs).contains(inputs.count) else {
            throw fields.wrong("input", "from 1 to \(Self.mostInputs) texts")
        }
        if let empty = inputs.firstIndex(of: "") {
            let param = inputs.count == 1 ? "input" : "input[\(empty)]"
            throw EdgeError.field(param, "\(param) must not be empty: leave it out or send a text.")
        }
        request.inputs = inputs
    }

    /// Texts given as token numbers.
    /// - Parameter isList: there are several; otherwise the input itself is the one.
    private static func tokens(_ lists: [JSON], isList: Bool) throws -> String {
        guard lists.count <= mostInputs else {
            throw EdgeError.field("input", "input must have at most \(mostInputs) texts; there are \(lists.count).")
        }
        for (index, list) in lists.enumerated() {
            let numbers = list.array ?? []
            guard !numbers.isEmpty, numbers.allSatisfy({ $0.int.map { $0 >= 0 } ?? false }) else {
                let param = isList ? "input[\(index)]" : "input"
                let found = numbers.isEmpty ? list : numbers.first { ($0.int ?? -1) < 0 } ?? list
                throw EdgeError.field(
                    param,
                    "\(param) must be text, or a list of at least one token number; there is \(FoundValue.text(found)).")
            }
        }
        return JSON.array(lists).text()
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

extension OpenAIEmbeddings: SingleCall {
    init(_ body: JSON, _ headers: RequestHeaders) throws { try self.init(body) }

    var model: String { request.model }
    var endUser: String? { request.endUser }

    func estimatedTokens(bodyBytes: Int) -> Int { bodyBytes / 4 }

    func run(_ router: RouterClient, _ options: CallOptions) async throws -> SingleAnswer {
        let reply = try await router.embed(request, options)
        var answer = SingleAnswer(
            served: reply.served, usage: ChatAPI.Usage(inputTokens: reply.inputTokens, costNanousd: reply.costNanousd),
            body: ByteBuffer())
        answer.body = encode(reply)
        return answer
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
