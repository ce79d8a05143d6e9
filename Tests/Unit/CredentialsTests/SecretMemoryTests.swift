import CredentialsService
import Foundation
import Testing

/// The flags of the mapping that holds `address`, as the kernel tells them: `lo` locked, `dd` not dumped, `dc` not inherited.
private func flags(of address: UInt) throws -> [Substring] {
    var isThere = false
    let maps = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps")).readToEnd() ?? Data()
    for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") {
        let edges = line.prefix { $0 != " " }.split(separator: "-")
        if edges.count == 2, let start = UInt(edges[0], radix: 16), let end = UInt(edges[1], radix: 16) {
            isThere = (start ..< end).contains(address)
        } else if isThere, line.hasPrefix("VmFlags:") {
            return line.split(separator: " ").dropFirst().map { $0 }
        }
    }
    return []
}

@Test(
    "secrets of any length lie in memory that is locked, not dumped and not inherited", arguments: [0, 1, 64, 65, 5000, 70_000])
func locked(_ count: Int) throws {
    let content = (0 ..< count).map { UInt8(truncatingIfNeeded: $0) }
    let secret = SecretBytes(content)
    #expect(secret.withBytes { Array($0) } == content)
    let address = secret.withBytes { UInt(bitPattern: $0.baseAddress) }
    let flags = try flags(of: address)
    // A machine may forbid locking; what it may not change is the rest.
    #expect(flags.contains("dd") && flags.contains("dc"))
    #expect(flags.contains("lo") || count > 1 << 20)
}

@Test("a slot that is used again holds nothing of the secret before")
func reused() {
    for _ in 0 ..< 200 {
        for length in [200, 129] {
            let secret = SecretBytes([UInt8](repeating: length == 200 ? 0xAA : 0, count: length))
            secret.withBytes { bytes in
                if length == 129, let base = bytes.baseAddress {
                    let beyond = UnsafeRawBufferPointer(start: base, count: 200)[129...]
                    #expect(!beyond.contains(0xAA))
                }
            }
        }
    }
}

@Test("many secrets can be held and given back from several threads")
func parallel() async {
    await withTaskGroup(of: Bool.self) { group in
        for worker in 0 ..< 8 {
            group.addTask {
                let held = (0 ..< 500).map { SecretBytes([UInt8](repeating: UInt8(worker), count: 1 + $0 % 300)) }
                return held.allSatisfy { $0.withBytes { $0.allSatisfy { $0 == UInt8(worker) } } }
            }
        }
        for await isRight in group { #expect(isRight) }
    }
}
