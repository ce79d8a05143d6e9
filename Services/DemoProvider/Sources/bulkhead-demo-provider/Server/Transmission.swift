import NIOCore
import NIOHTTP1

/// A reply with its fault applied: which bytes to send, at which pace, and how to end.
struct Transmission {
    enum BeforeHead { case send, stall, reset }
    enum Ending { case well, stall, close, reset }

    private(set) var beforeHead = BeforeHead.send
    private(set) var ending = Ending.well
    /// All that is sent of the body.
    private(set) var bytes = ByteBuffer()
    /// Nanoseconds from one token to the next; nil to send all at once.
    private(set) var interval: Int64?
    /// The number of the frame after which there is nothing left.
    private(set) var lastFrame = 0

    private let reply: Reply
    private var frames: StreamFrames?

    /// - Parameter pace: tokens a second of a stream; nil for no pace.
    init(reply: Reply, directives: Directives, pace: Double?) {
        self.reply = reply
        // An answer that fails already, or one of the provider's own routes, has no further fault.
        let isFaulty = directives.failure == nil && reply.status == .ok
        let fault = isFaulty ? directives.ending : .complete
        if case .stall(after: nil) = fault { beforeHead = .stall }
        if case .reset(after: nil) = fault { beforeHead = .reset }
        switch reply.body {
        case .whole(let body): apply(fault, toWhole: body)
        case .stream(let frames):
            interval = pace.map { Int64(1e9 / $0) }
            apply(fault, to: frames)
        }
    }

    func head(version: HTTPVersion) -> HTTPResponseHead {
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: reply.contentType)
        for (name, value) in reply.headers { headers.add(name: name, value: value) }
        if case .whole(let body) = reply.body {
            headers.add(name: "content-length", value: String(garbledLength ?? body.readableBytes))
        } else {
            headers.add(name: "cache-control", value: "no-cache")
        }
        return HTTPResponseHead(version: version, status: reply.status, headers: headers)
    }

    /// The bytes of frame `number`: 0 opens the stream, the last has the rest.
    func frame(_ number: Int) -> ByteBuffer {
        guard let frames else { return bytes }
        let start = number == 0 ? 0 : frames.length(tokens: number - 1)
        let end = number == lastFrame ? bytes.readableBytes : frames.length(tokens: number)
        return bytes.getSlice(at: bytes.readerIndex + start, length: end - start) ?? ByteBuffer()
    }

    private var garbledLength: Int?
}

extension Transmission {
    private static let notJSON = ByteBuffer(string: "<html><body>502 Bad Gateway</body></html>")
    private static let notJSONEvent = ByteBuffer(string: "data: {\"choices\": [{\"delta\": <html>\n\n")

    private mutating func apply(_ fault: Directives.Ending, toWhole body: ByteBuffer) {
        let half = body.getSlice(at: body.readerIndex, length: body.readableBytes / 2) ?? body
        switch fault {
        case .complete, .error: bytes = body
        case .stall: (bytes, ending) = (half, .stall)
        case .reset: (bytes, ending) = (half, .reset)
        case .cut: (bytes, ending) = (half, .close)
        case .end: (bytes, garbledLength) = (half, half.readableBytes)
        case .garbage: (bytes, garbledLength) = (Self.notJSON, Self.notJSON.readableBytes)
        }
    }

    private mutating func apply(_ fault: Directives.Ending, to frames: StreamFrames) {
        self.frames = frames
        var last: Int?
        var tail: ByteBuffer?
        switch fault {
        case .complete: break
        case .stall(let count): (last, ending) = (count ?? 0, .stall)
        case .reset(let count): (last, ending) = (count ?? 0, .reset)
        case .cut(let count): (last, ending) = (count, .close)
        case .end(let count): last = count
        case .error(let count): (last, tail) = (count, frames.failure(min(count, frames.tokenCount)))
        case .garbage(let count): (last, tail) = (count, Self.notJSONEvent)
        }
        lastFrame = min(last ?? .max, frames.tokenCount)
        bytes = frames.bytes
        if last != nil { bytes.moveWriterIndex(to: bytes.readerIndex + frames.length(tokens: lastFrame)) }
        if var tail { bytes.writeBuffer(&tail) }
    }
}
