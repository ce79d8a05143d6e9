import CZlib
import NIOCore

/// Undoes one layer of gzip (RFC 1952) or deflate (RFC 1950, and the bare RFC 1951 that some servers send under its name), piece by
/// piece: what a piece completes comes out at once.
///
/// States: open → ended (a gzip body may go on with another member: open again) → whole, when nothing follows.
package final class Inflater {
    /// Why a body cannot be read.
    package enum Failure: Error, Equatable {
        /// Not what its coding says.
        case damaged
        /// More comes out than `limit` allows.
        case tooLarge
    }

    /// The format of the layer.
    package enum Format { case gzip, deflate }

    private static let chunk = 64 << 10
    /// zlib: 15 bits of window, gzip framing; or zlib framing; or none.
    private static let (gzip, zlib, bare): (Int32, Int32, Int32) = (31, 15, -15)

    private let format: Format
    private let maxMembers: Int
    /// Members that have ended.
    private var members = 0
    /// zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isOpen = false
    private var hasEnded = false
    /// zlib's last word.
    private var code = Z_OK
    /// The first byte of a deflate body, until there are two: they tell which of both it is.
    private var beginning = ByteBuffer()

    /// - Parameter maxMembers: members that a gzip body may consist of; empty ones cost time and make nothing.
    package init(_ format: Format, maxMembers: Int = .max) {
        self.format = format
        self.maxMembers = maxMembers
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
    }

    deinit {
        if isOpen { inflateEnd(stream) }
        stream.deallocate()
    }

    /// Whether the body may end here.
    package var isWhole: Bool { hasEnded || !isOpen && beginning.readableBytes == 0 }

    /// What the piece makes.
    /// - Parameter mayGrow: is asked with the number of bytes that would come out, before they do.
    package func feed(_ piece: ByteBuffer, mayGrow: (Int) -> Bool) throws(Failure) -> ByteBuffer {
        var input = piece
        if !isOpen {
            beginning.writeImmutableBuffer(piece)
            guard beginning.readableBytes >= 2 || format == .gzip && beginning.readableBytes > 0 else { return ByteBuffer() }
            input = beginning
            beginning = ByteBuffer()
            try open(input)
        }
        var output = ByteBuffer()
        var failure: Failure?
        input.withUnsafeReadableBytes { bytes in
            do throws(Failure) { try inflate(bytes, into: &output, mayGrow) } catch { failure = error }
        }
        if let failure { throw failure }
        return output
    }

    private func inflate(
        _ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer, _ mayGrow: (Int) -> Bool
    ) throws(Failure) {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(bytes.count)
        var isFull = true
        while stream.pointee.avail_in > 0 || isFull {
            if hasEnded {
                guard stream.pointee.avail_in > 0 else { return }
                guard format == .gzip, inflateReset(stream) == Z_OK else { throw .damaged }
                hasEnded = false
            }
            let before = output.readableBytes
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunk) { step($0) }
            isFull = stream.pointee.avail_out == 0
            guard mayGrow(output.readableBytes) else { throw .tooLarge }
            switch code {
            case Z_STREAM_END:
                hasEnded = true
                members += 1
                guard members <= maxMembers else { throw .damaged }
            case Z_OK: break
            // Nothing to do until there is more.
            case Z_BUF_ERROR where stream.pointee.avail_in == 0 || output.readableBytes > before: return
            default: throw .damaged
            }
        }
    }

    private func step(_ room: UnsafeMutableRawBufferPointer) -> Int {
        let size = min(room.count, Self.chunk)
        stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(size)
        code = CZlib.inflate(stream, Z_NO_FLUSH)
        return size - Int(stream.pointee.avail_out)
    }

    private func open(_ first: ByteBuffer) throws(Failure) {
        let bits = format == .gzip ? Self.gzip : Self.isZlib(first) ? Self.zlib : Self.bare
        guard inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { throw .damaged }
        isOpen = true
    }

    /// RFC 1950 §2.2: method 8, and both bytes together a multiple of 31.
    private static func isZlib(_ first: ByteBuffer) -> Bool {
        guard let head = first.getInteger(at: first.readerIndex, as: UInt16.self) else { return false }
        return head >> 8 & 15 == 8 && head % 31 == 0
    }
}
