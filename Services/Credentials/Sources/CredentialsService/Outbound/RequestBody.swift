import BulkheadAPI
import BulkheadCore
import NIOCore

/// A request body that arrives in several messages, on its way to the upstream. `run` and the exchange meet in two promises:
/// the exchange hands over its line, and learns when the body is complete.
package final class StreamedRequestBody: Sendable {
    private let line: EventLoopPromise<any RequestLine>
    private let complete: EventLoopPromise<Void>
    private let limit: Int
    /// As announced by the caller; nil: of unknown length.
    let length: Int?

    /// - Parameters:
    ///   - limit: bytes at most.
    ///   - length: as announced by the caller; nil: chunked.
    init(loop: any EventLoop, limit: Int, length: Int?) {
        line = loop.makePromise()
        complete = loop.makePromise()
        self.limit = limit
        self.length = length
    }

    /// The request's head is sent: the body may follow on this line.
    /// - Parameter failed: gets what was wrong with the body.
    func begin(_ line: any RequestLine, failed: @escaping @Sendable (any Error) -> Void) {
        complete.futureResult.whenComplete { result in
            switch result {
            case .success: line.endBody()
            // That the connection is gone, the line itself finds out.
            case .failure(let error) where error is CallError || error is UpstreamFault: failed(error)
            case .failure: break
            }
        }
        self.line.succeed(line)
    }

    /// Passes on the pieces already read, then all further ones; each waits until the upstream took the one before.
    func run(_ begun: [ByteBuffer], _ requests: TypedReader<CredentialsAPI.CallRequest>) async {
        do {
            let line = try await line.futureResult.get()
            var sent = 0
            func write(_ piece: ByteBuffer) async throws {
                sent += piece.readableBytes
                guard sent <= limit else { throw Self.tooLarge(limit) }
                if let length, sent > length { throw UpstreamFault.lengthMismatch }
                if piece.readableBytes > 0 { try await line.send(piece).get() }
            }
            for piece in begun { try await write(piece) }
            while sent != length, let message = try await requests.next() {
                // The upstream may answer and close as soon as it has the announced bytes, before the caller ends its side.
                if let piece = message.body { try await write(piece) }
            }
            guard length == nil || sent == length else { throw UpstreamFault.lengthMismatch }
            complete.succeed()
        } catch {
            complete.fail(error)
        }
    }

    /// The exchange is over: nobody will hand over a line any more.
    func abandon() {
        line.fail(UpstreamFault.cancelled)
        complete.fail(ChannelError.alreadyClosed)
    }

    static func tooLarge(_ limit: Int) -> CallError {
        CallError(
            .resourceExhausted, reason: "payload_too_large",
            message: "the request's body is larger than the \(limit) bytes that `limits.max_request` of the destination allows",
            notProcessed: false)
    }
}
