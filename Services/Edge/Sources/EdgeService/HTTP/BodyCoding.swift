import BulkheadCoding
import HTTPTypes
import NIOCore

/// The content coding of one request's body, undone while it arrives.
struct BodyCoding {
    /// Members of a gzip body. Writers that work in parallel make one of 128 KiB or so; empty ones only cost time.
    private static let maxMembers = 4096
    /// Bytes that are undone before others get their turn: what they make at most is 1032 times as much.
    private static let sliceBytes = 4 << 10

    private let limit: Int
    private var decoder: ContentDecoder

    /// - Parameter limit: bytes of the decoded body at most.
    /// - Returns: nil when the body is not coded.
    /// - Throws: `EdgeError` 415.
    init?(_ headers: RequestHeaders, limit: Int) throws {
        guard let codings = headers[.contentEncoding] else { return nil }
        do throws(ContentDecoder.Trouble) {
            guard let decoder = try ContentDecoder([codings], limit: limit, maxLayers: 1, maxMembers: Self.maxMembers) else {
                return nil
            }
            self.decoder = decoder
        } catch {
            throw Self.error(error, limit)
        }
        self.limit = limit
    }

    /// Adds what the piece makes to `whole`.
    /// - Throws: `EdgeError` 400 when it is not in the coding that was named, 413.
    mutating func undo(_ piece: ByteBuffer, into whole: inout ByteBuffer) async throws {
        var rest = piece
        while rest.readableBytes > 0, let slice = rest.readSlice(length: min(Self.sliceBytes, rest.readableBytes)) {
            do throws(ContentDecoder.Trouble) {
                var part = try decoder.feed(slice)
                whole.writeBuffer(&part)
            } catch {
                throw Self.error(error, limit)
            }
            await Task.yield()
        }
    }

    /// - Throws: `EdgeError` 400: the body ended within its coding.
    func finish() throws {
        do throws(ContentDecoder.Trouble) { try decoder.finish() } catch { throw Self.error(error, limit) }
    }

    private static func error(_ trouble: ContentDecoder.Trouble, _ limit: Int) -> EdgeError {
        switch trouble {
        case .unknownCoding, .tooManyLayers:
            EdgeError(
                .unsupportedMedia, code: "unsupported_content_encoding",
                message: "The request body is in a content coding that is not understood here, or in several: "
                    + "send it plain, or in one of: \(EdgeError.acceptedCodings).")
        case .damaged:
            damaged("is not in the content coding that content-encoding names, or goes on behind its end")
        case .truncated: damaged("ended within its content coding")
        case .tooLarge: BodyReader.tooLarge(limit, "edge.max_json")
        case .grewTooMuch:
            EdgeError(
                .tooLarge,
                message: "The request body grows to more than \(ContentDecoder.maxRatio) times its size when it is unpacked, "
                    + "the most there may be. Send it plain.")
        }
    }

    private static func damaged(_ what: String) -> EdgeError {
        EdgeError(
            .badRequest, code: "invalid_content_encoding",
            message: "The request body \(what). Pack it anew, or send it plain without content-encoding.")
    }
}
