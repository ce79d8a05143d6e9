import Glibc

/// The counter of the vault as the audit trail knows it: every change is recorded with the mark `vault_ID_COUNTER`, so that
/// an older vault that was put back together with its counter file is found out all the same.
enum CounterTrail {
    /// How far back the trail is searched. Changes are rare beside calls; what lies farther back is not found.
    private static let maxBytes = 64 << 20
    private static let chunkBytes = 1 << 20

    static func mark(id: [UInt8], counter: UInt64) -> String { "vault_\(short(id))_\(counter)" }

    private static func short(_ id: [UInt8]) -> String {
        id.prefix(4).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }

    /// The highest counter on record for a vault; 0 when there is none. Blocks.
    static func highest(_ path: String, id: [UInt8]) -> UInt64 {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        let wanted = Array("\"vault_\(short(id))_".utf8)
        var highest: UInt64 = 0
        var carried: [UInt8] = []
        var place = max(0, lseek(file, 0, SEEK_END) - off_t(maxBytes))
        var chunk = [UInt8](repeating: 0, count: chunkBytes)
        while true {
            let count = pread(file, &chunk, chunk.count, place)
            guard count > 0 else { return highest }
            let bytes = carried + chunk[..<count]
            highest = max(highest, Self.highest(in: bytes, wanted))
            // A mark may lie across two pieces.
            carried = Array(bytes.suffix(64))
            place += off_t(count)
        }
    }

    private static func highest(in bytes: [UInt8], _ wanted: [UInt8]) -> UInt64 {
        var highest: UInt64 = 0
        bytes.withUnsafeBytes { all in
            guard let base = all.baseAddress else { return }
            var place = 0
            // From one quote to the next: there are few bytes between that are looked at twice.
            while place < all.count, let quote = memchr(base + place, Int32(UInt8(ascii: "\"")), all.count - place) {
                let start = base.distance(to: UnsafeRawPointer(quote))
                place = start + 1
                guard all[start...].starts(with: wanted) else { continue }
                let digits = all[(start + wanted.count)...].prefix(20).prefix { (48 ... 57).contains($0) }
                // Without the quote behind them there may be more digits in the next piece.
                guard digits.endIndex < all.count else { continue }
                highest = max(highest, UInt64(String(decoding: digits, as: UTF8.self)) ?? 0)
            }
        }
        return highest
    }
}
