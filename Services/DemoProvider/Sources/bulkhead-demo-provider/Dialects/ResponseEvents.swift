import BulkheadHTTP
import BulkheadJSON
import NIOCore

/// The typed events of a streamed response, numbered in order.
struct ResponseEvents {
    private let response: ResponseObject
    private var result = StreamFrames()
    private var number = 0

    init(_ response: ResponseObject) { self.response = response }

    mutating func frames() -> StreamFrames {
        writeOpening()
        result.mark()
        let opening = number
        result.failure = { Self.failure(number: opening + $0) }
        for token in response.answer.tokens {
            detail(isCall ? "response.function_call_arguments.delta" : "response.output_text.delta") { writer in
                writer.field("delta", token)
            }
            result.mark()
        }
        writeClosing()
        return result
    }

    private var isCall: Bool { response.answer.toolName != nil }

    private mutating func writeOpening() {
        whole("response.created", .begun)
        whole("response.in_progress", .begun)
        item("response.output_item.added", .begun)
        if !isCall { part("response.content_part.added", .begun) }
    }

    private mutating func writeClosing() {
        let text = response.answer.text
        if isCall {
            detail("response.function_call_arguments.done") { $0.field("arguments", text) }
        } else {
            detail("response.output_text.done") { $0.field("text", text) }
            part("response.content_part.done", .finished)
        }
        item("response.output_item.done", .finished)
        whole(response.finalEvent, .finished)
    }

    private static func failure(number: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        SSEWriter.write(name: "error", into: &buffer) { writer in
            writer.object { writer in
                writer.field("type", "error")
                writer.field("code", "server_error")
                writer.field("message", "the demo provider fails as told")
                writer.nullField("param")
                writer.field("sequence_number", number)
            }
        }
        return buffer
    }

    private mutating func event(_ type: String, _ members: (inout JSONWriter) -> Void) {
        SSEWriter.write(name: type, into: &result.bytes) { writer in
            writer.object { writer in
                writer.field("type", type)
                writer.field("sequence_number", number)
                members(&writer)
            }
        }
        number += 1
    }

    private mutating func whole(_ type: String, _ stage: ResponseObject.Stage) {
        let response = response
        event(type) { writer in
            writer.name("response")
            response.write(stage, &writer)
        }
    }

    private mutating func item(_ type: String, _ stage: ResponseObject.Stage) {
        let response = response
        event(type) { writer in
            writer.field("output_index", 0)
            writer.name("item")
            response.writeItem(stage, &writer)
        }
    }

    private mutating func part(_ type: String, _ stage: ResponseObject.Stage) {
        let response = response
        detail(type) { writer in
            writer.name("part")
            response.writePart(stage, &writer)
        }
    }

    /// An event about the one item; about its one part, if it is a message.
    private mutating func detail(_ type: String, _ members: (inout JSONWriter) -> Void) {
        let (itemID, isMessage) = (response.itemID, !isCall)
        event(type) { writer in
            writer.field("item_id", itemID)
            writer.field("output_index", 0)
            if isMessage { writer.field("content_index", 0) }
            if type.hasPrefix("response.output_text") { writer.array("logprobs") { _ in } }
            members(&writer)
        }
    }
}
