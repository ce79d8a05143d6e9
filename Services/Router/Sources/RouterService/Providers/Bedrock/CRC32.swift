/// The checksum of event stream messages: CRC-32 as in ISO/IEC 3309, reflected polynomial 0xedb88320.
package enum CRC32 {
    private static let table: [UInt32] = (0 ..< 256).map { byte in
        (0 ..< 8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
    }

    /// - Parameter start: the checksum of what comes before, to go on with.
    package static func of(_ bytes: some Sequence<UInt8>, after start: UInt32 = 0) -> UInt32 {
        let table = table
        return ~bytes.reduce(~start) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
    }
}
