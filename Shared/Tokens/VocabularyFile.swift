import Crypto
import Glibc

/// A vocabulary's file, mapped read-only while it is taken apart.
enum VocabularyFile {
    /// The longest line: a token of 128 spaces in base64, its rank, and room.
    private static let largest = 64 << 20

    /// Hands the bytes of the file to `use`. Blocks on the file system.
    static func read<Value>(_ path: String, name: String, _ use: (UnsafeRawBufferPointer) throws -> Value) throws -> Value {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw VocabularyError("\(name) cannot be read: \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, (1 ... largest).contains(Int(status.st_size))
        else { throw VocabularyError("\(name) is empty, too large or no regular file") }
        let count = Int(status.st_size)
        guard let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw VocabularyError("\(name) cannot be mapped: \(String(cString: strerror(errno)))")
        }
        defer { munmap(address, count) }
        return try use(UnsafeRawBufferPointer(start: address, count: count))
    }

    /// - Throws: when the bytes are not those of the published file.
    static func check(_ bytes: UnsafeRawBufferPointer, _ vocabulary: TokenVocabulary) throws {
        var hash = SHA256()
        hash.update(bufferPointer: bytes)
        let digits = Array("0123456789abcdef".utf8)
        let hex = hash.finalize().flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        guard hex.elementsEqual(vocabulary.sha256.utf8) else {
            throw VocabularyError("\(vocabulary.fileName) is damaged: its SHA-256 is not the published one")
        }
    }

    /// The tokens in the order of their ranks.
    static func tokens(_ bytes: UnsafeRawBufferPointer, name: String, _ take: (ArraySlice<UInt8>) -> Void) throws {
        var token: [UInt8] = []
        var at = 0
        var rank = 0
        while at < bytes.count {
            guard let end = decode(bytes, from: at, into: &token), let next = skip(rank, bytes, from: end) else {
                throw VocabularyError("\(name) is malformed in line \(rank + 1)")
            }
            take(token[...])
            at = next
            rank += 1
        }
    }

    /// Decodes base64 up to a space. - Returns: where the space is.
    private static func decode(_ bytes: UnsafeRawBufferPointer, from start: Int, into token: inout [UInt8]) -> Int? {
        token.removeAll(keepingCapacity: true)
        var bits: UInt32 = 0
        var held = 0
        var at = start
        while at < bytes.count, bytes[at] != UInt8(ascii: " ") {
            if bytes[at] != UInt8(ascii: "=") {
                guard let value = value(of: bytes[at]) else { return nil }
                bits = bits << 6 | value
                held += 6
                if held >= 8 {
                    held -= 8
                    token.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
                }
            }
            at += 1
        }
        return at < bytes.count && !token.isEmpty ? at : nil
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A") ... UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a") ... UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0") ... UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    /// Reads ` rank` and the end of the line. - Returns: where the next line begins; nil when it is another rank.
    private static func skip(_ rank: Int, _ bytes: UnsafeRawBufferPointer, from space: Int) -> Int? {
        var at = space + 1
        var found = 0
        while at < bytes.count, (48 ... 57).contains(bytes[at]), found < 1 << 24 {
            found = found * 10 + Int(bytes[at] - 48)
            at += 1
        }
        guard at > space + 1, found == rank else { return nil }
        if at == bytes.count { return at }
        return bytes[at] == UInt8(ascii: "\n") ? at + 1 : nil
    }
}
