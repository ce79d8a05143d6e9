import AsyncHTTPClient
import BulkheadAPI
import BulkheadCore
import NIOCore

/// A request body that arrives in several messages, on its way to the upstream. `run` and the HTTP client meet in two
/// promises: the client hands over its writer, and learns when the body is complete.
package final class StreamedRequestBody: Sendable {
    private let writer: EventLoopPromise<HTTPClient.Body.StreamWriter>
    private let complete: EventLoopPromise<Void>
    private let limit: Int
    private let length: Int?

    /// - Parameters:
    ///   - limit: bytes at most.
    ///   - length: as announced by the caller; nil: chunked.
    init(loop: any EventLoop, limit: Int, length: Int?) {
        writer = loop.makePromise()
        complete = loop.makePromise()
        self.limit = limit
        self.length = length
    }

    /// As the HTTP client takes it.
    var body: HTTPClient.Body {
        .stream(contentLength: length.map(Int64.init)) { writer in
            self.writer.succeed(writer)
            return self.complete.futureResult
        }
    }

    /// Passes on the pieces already read, then all further ones; each waits until the upstream took the one before.
    func run(_ begun: [ByteBuffer], _ requests: TypedReader<CredentialsAPI.CallRequest>) async {
        do {
            let writer = try await writer.futureResult.get()
            var sent = 0
            func write(_ piece: ByteBuffer) async throws {
                sent += piece.readableBytes
                guard sent <= limit else { throw Self.tooLarge(limit) }
                if piece.readableBytes > 0 { try await writer.write(.byteBuffer(piece)).get() }
            }
            for piece in begun { try await write(piece) }
            while let message = try await requests.next() {
                if let piece = message.body { try await write(piece) }
                // The upstream may answer and close as soon as it has the announced bytes, before the caller ends its side.
                if sent == length { break }
            }
            complete.succeed()
        } catch {
            complete.fail(error)
        }
    }

    /// The exchange is over: nobody will hand over a writer any more.
    func abandon() {
        writer.fail(HTTPClientError.cancelled)
        complete.fail(HTTPClientError.cancelled)
    }

    static func tooLarge(_ limit: Int) -> CallError {
        CallError(
            .resourceExhausted, reason: "payload_too_large",
            message: "the request's body is larger than the \(limit) bytes that `limits.max_request` of the destination allows",
            notProcessed: false)
    }
}
