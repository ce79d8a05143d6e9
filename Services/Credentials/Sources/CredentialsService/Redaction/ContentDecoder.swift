import BulkheadCore
import NIOCore

/// Undoes the content codings of an answer (RFC 9110 §8.4), so that it can be checked for secrets: gzip and deflate, two layers at
/// most, and no more growth than honest content shows.
struct ContentDecoder {
    /// What comes out may be this many times what came in, once it is more than `freeBytes`: text hardly reaches 30, a bomb 1000.
    private static let maxRatio = 200
    private static let freeBytes = 1 << 20
    private static let maxLayers = 2

    /// The outermost first.
    private let layers: [Inflater]
    private let limit: Int
    private var received = 0
    /// Bytes that came out of each layer.
    private var made: [Int]

    /// - Parameters:
    ///   - codings: the values of `content-encoding`, in order.
    ///   - limit: bytes of the decoded body at most.
    /// - Returns: nil when the body is not coded.
    /// - Throws: the coding cannot be undone; the text names no value of the answer.
    init?(_ codings: [String], limit: Int) throws(Trouble) {
        let names = codings.flatMap { $0.split(separator: ",") }.map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
        var layers: [Inflater] = []
        for name in names.reversed() where !name.isEmpty && name != "identity" {
            switch name {
            case "gzip", "x-gzip": layers.append(Inflater(.gzip))
            case "deflate": layers.append(Inflater(.deflate))
            default: throw .unknownCoding
            }
        }
        guard layers.count <= Self.maxLayers else { throw .tooManyLayers }
        if layers.isEmpty { return nil }
        self.layers = layers
        self.limit = limit
        made = [Int](repeating: 0, count: layers.count)
    }

    /// What the piece makes.
    mutating func feed(_ piece: ByteBuffer) throws(Trouble) -> ByteBuffer {
        received += piece.readableBytes
        var bytes = piece
        for (index, layer) in layers.enumerated() where bytes.readableBytes > 0 {
            let (before, received, limit) = (made[index], received, limit)
            do throws(Inflater.Failure) {
                bytes = try layer.feed(bytes) { grown in
                    let total = before + grown
                    return total <= limit && (total <= Self.freeBytes || total / Self.maxRatio <= received)
                }
            } catch {
                throw error == .tooLarge ? .tooLarge : .damaged
            }
            made[index] += bytes.readableBytes
        }
        return bytes
    }

    /// - Throws: the body ended within its coding.
    func finish() throws(Trouble) {
        guard layers.allSatisfy(\.isWhole) else { throw .truncated }
    }

    /// Why an answer cannot be read.
    enum Trouble: Error, Equatable {
        case unknownCoding, tooManyLayers, damaged, truncated, tooLarge

        /// As callers see it.
        func callError(place: String, limit: Int) -> CallError {
            switch self {
            case .unknownCoding:
                Self.undecodable("\(place) answered in a content coding that was not asked for", "upstream_error")
            case .tooManyLayers: Self.undecodable("\(place) answered in more than two content codings", "upstream_error")
            case .damaged: Self.undecodable("\(place) sent a body that is not in the content coding it names", "upstream_error")
            case .truncated:
                CallError(.dataLoss, reason: "stream_broken", message: "the coded answer of \(place) ended before its end")
            case .tooLarge:
                CallError(
                    .resourceExhausted, reason: "upstream_error",
                    message: "the decoded answer of \(place) is larger than the \(limit) bytes that `limits.max_response` of its "
                        + "destination allows, or grew more than two-hundredfold")
            }
        }

        private static func undecodable(_ what: String, _ reason: String) -> CallError {
            CallError(
                .unavailable, reason: reason,
                message: "\(what) (undecodable), so the answer cannot be checked for the secret and is not passed on")
        }
    }
}
