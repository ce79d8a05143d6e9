import Glibc

/// Where the vocabularies' files are looked for.
package enum VocabularyFolder {
    private static let name = "tiktoken"

    /// The first place that has the file of `vocabulary`, or nil: the system's folder, then `.bulkhead/models` of each folder
    /// above the executable, nearest first. Blocks on the file system.
    /// - Parameter executable: the running executable's real path.
    package static func find(_ vocabulary: TokenVocabulary, executable: String) -> String? {
        var places = ["/usr/share/bulkhead/models/\(name)"]
        var parts = executable.split(separator: "/").dropLast()
        while !parts.isEmpty {
            places.append("/\(parts.joined(separator: "/"))/.bulkhead/models/\(name)")
            parts.removeLast()
        }
        return places.first { access("\($0)/\(vocabulary.fileName)", R_OK) == 0 }
    }

    /// The running executable's path, symbolic links resolved; empty when /proc does not tell.
    package static var executable: String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink("/proc/self/exe", $0, bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : ""
    }
}
