import BulkheadCore
import Glibc

/// `import_dir`: files whose name is a secret's and whose content is its value, as orchestrators mount them.
enum SecretImport {
    /// What the folder holds: values by name, and what could not be used, without values. Blocks.
    static func read(_ folder: String) throws(CallError) -> (found: [(name: String, value: [UInt8])], problems: [String]) {
        guard let stream = opendir(folder) else {
            throw CallError(
                .internal, message: "credentials.import_dir \(folder) cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { closedir(stream) }
        var found: [(String, [UInt8])] = []
        var problems: [String] = []
        while let entry = readdir(stream), found.count < Vault.maxSecrets {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard StoredSecret.isName(name) else { continue }
            guard let value = contents("\(folder)/\(name)") else {
                problems.append("\(name): cannot be read, or is larger than 64 KiB")
                continue
            }
            found.append((name, value))
        }
        return (found.sorted { $0.0 < $1.0 }, problems)
    }

    /// Mounted secrets are often readable by a group and reached through symbolic links: neither is refused here.
    private static func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10 + 2)
        var count = 0
        while count < bytes.count {
            let more = bytes.withUnsafeMutableBytes { space in
                Glibc.read(file, space.baseAddress.map { $0 + count }, space.count - count)
            }
            if more < 0, errno == EINTR { continue }
            guard more >= 0 else { return nil }
            if more == 0 { return SecretInput.trimmed(Array(bytes[..<count])) }
            count += more
        }
        return nil
    }
}

/// Values as people give them.
package enum SecretInput {
    /// Without one trailing line break.
    package static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.last == UInt8(ascii: "\n") else { return bytes }
        let line = bytes.dropLast()
        return Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    }
}
