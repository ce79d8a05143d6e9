import BulkheadHTTP
import BulkheadJSON
import NIOCore
import NIOHTTP1

/// What differs between the chat interfaces of the providers.
protocol Dialect {
    /// Reads a request body.
    static func ask(_ body: JSON) throws(BadRequest) -> Ask
    /// The complete answer, one entry of `answers` a choice.
    static func write(_ answers: [Answer], to ask: Ask, _ writer: inout JSONWriter)
    /// The streamed answer.
    static func frames(_ answers: [Answer], to ask: Ask) -> StreamFrames
    /// The body of an error answer.
    static func writeError(_ status: HTTPResponseStatus, _ error: BadRequest, _ writer: inout JSONWriter)
    /// What the provider calls its request id.
    static var requestIDHeader: String { get }
    /// The media type of a streamed answer.
    static var streamType: String { get }
    /// Headers that an error answer has besides.
    static func errorHeaders(_ status: HTTPResponseStatus) -> [(name: String, value: String)]
}

extension Dialect {
    static var streamType: String { "text/event-stream" }
    static func errorHeaders(_ status: HTTPResponseStatus) -> [(name: String, value: String)] { [] }

    static func errorReply(_ status: HTTPResponseStatus, _ error: BadRequest) -> Reply {
        var reply = Reply.json(status: status) { writeError(status, error, &$0) }
        reply.headers += errorHeaders(status)
        return reply
    }

    static func streamReply(_ answers: [Answer], to ask: Ask) -> Reply {
        Reply(contentType: streamType, body: .stream(frames(answers, to: ask)))
    }

    /// An error in mid-stream.
    static func failureEvent(_ status: HTTPResponseStatus, name: String = "") -> ByteBuffer {
        var buffer = ByteBuffer()
        SSEWriter.write(name: name, into: &buffer) { writer in
            writeError(status, BadRequest(message: "the demo provider fails as told"), &writer)
        }
        return buffer
    }
}
