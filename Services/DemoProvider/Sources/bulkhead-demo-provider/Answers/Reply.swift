import BulkheadJSON
import NIOCore
import NIOHTTP1

/// An HTTP answer before any fault is applied to it.
struct Reply {
    enum Body {
        case whole(ByteBuffer)
        case stream(StreamFrames)
    }

    var status: HTTPResponseStatus = .ok
    var contentType = "application/json"
    var headers: [(name: String, value: String)] = []
    var body: Body

    static func json(status: HTTPResponseStatus = .ok, _ body: (inout JSONWriter) -> Void) -> Reply {
        var writer = JSONWriter()
        body(&writer)
        return Reply(status: status, body: .whole(writer.buffer))
    }
}

/// A streamed body: what comes before the first token, one frame a token, and what comes after the last.
struct StreamFrames {
    /// All of it in order.
    var bytes = ByteBuffer()
    /// The dialect's event for a failure after the given number of tokens.
    var failure: (_ tokens: Int) -> ByteBuffer = { _ in ByteBuffer() }
    // The first entry is where the tokens begin, entry n is where token n ends.
    private var marks: [Int] = []

    var tokenCount: Int { max(0, marks.count - 1) }

    /// To be called after what opens the stream has been written, and after each token.
    mutating func mark() { marks.append(bytes.writerIndex) }

    /// How many bytes there are up to the end of token `count`; 0 ends where the tokens begin.
    func length(tokens count: Int) -> Int {
        marks.isEmpty ? bytes.readableBytes : marks[min(max(count, 0), marks.count - 1)]
    }
}
