import NIOCore

/// Undoes the content codings of a body (RFC 9110 §8.4), piece by piece: gzip and deflate, so many layers at most, and no more
/// growth than honest content shows.
package struct ContentDecoder {
    /// What comes out may be this many times what came in, once it is more than `freeBytes`: text hardly reaches 30, a bomb 1000.
    package static let maxRatio = 200
    private static let freeBytes = 1 << 20

    /// The outermost first.
    private let layers: [Inflater]
    private let limit: Int
    private var received = 0
    /// Bytes that came out of each layer.
    private var made: [Int]

    /// - Parameters:
    ///   - codings: the values of `content-encoding`, in order.
    ///   - limit: bytes of the decoded body at most.
    ///   - maxLayers: codings that may lie over one another.
    ///   - maxMembers: members that a gzip body may consist of.
    /// - Returns: nil when the body is not coded.
    /// - Throws: the coding cannot be undone; the text names no value of the message.
    package init?(_ codings: [String], limit: Int, maxLayers: Int, maxMembers: Int = .max) throws(Trouble) {
        let names = codings.flatMap { $0.split(separator: ",") }.map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
        var layers: [Inflater] = []
        for name in names.reversed() where !name.isEmpty && name != "identity" {
            switch name {
            case "gzip", "x-gzip": layers.append(Inflater(.gzip, maxMembers: maxMembers))
            case "deflate": layers.append(Inflater(.deflate))
            default: throw .unknownCoding
            }
        }
        guard layers.count <= maxLayers else { throw .tooManyLayers }
        if layers.isEmpty { return nil }
        self.layers = layers
        self.limit = limit
        made = [Int](repeating: 0, count: layers.count)
    }

    /// What the piece makes.
    package mutating func feed(_ piece: ByteBuffer) throws(Trouble) -> ByteBuffer {
        received += piece.readableBytes
        var bytes = piece
        for (index, layer) in layers.enumerated() where bytes.readableBytes > 0 {
            let (before, received, limit) = (made[index], received, limit)
            var trouble = Trouble.tooLarge
            do throws(Inflater.Failure) {
                bytes = try layer.feed(bytes) { grown in
                    let total = before + grown
                    guard total <= limit else { return false }
                    if total <= Self.freeBytes || total / Self.maxRatio <= received { return true }
                    trouble = .grewTooMuch
                    return false
                }
            } catch {
                throw error == .tooLarge ? trouble : .damaged
            }
            made[index] += bytes.readableBytes
        }
        return bytes
    }

    /// - Throws: the body ended within its coding.
    package func finish() throws(Trouble) {
        guard layers.allSatisfy(\.isWhole) else { throw .truncated }
    }

    /// Why a body cannot be read.
    package enum Trouble: Error, Equatable {
        case unknownCoding, tooManyLayers, damaged, truncated
        /// Longer than the limit.
        case tooLarge
        /// Longer than `maxRatio` times what it was made of.
        case grewTooMuch
    }
}
