import Foundation

/// Where the model's files are looked for.
package enum ModelFolder {
    /// The first place that has the model, or nil. Blocks on the file system.
    /// - Parameters:
    ///   - configured: `retrieval.embedder.path`; when set, nothing else is tried, so that a wrong path shows.
    ///   - executable: the running executable's real path.
    package static func find(configured: String?, executable: String) -> String? {
        let candidates = configured.map { [$0, "\($0)/\(EmbeddingModel.name)"] } ?? installed(near: executable)
        return candidates.first { holdsModel($0) }
    }

    /// The running executable's path, symbolic links resolved; empty when /proc does not tell.
    package static var executable: String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBufferPointer { bytes in
            bytes.baseAddress.map { readlink("/proc/self/exe", $0, bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) : ""
    }

    /// The system's folder, then that of each checkout the executable may stand in.
    private static func installed(near executable: String) -> [String] {
        var places = ["/usr/share/bulkhead/models/\(EmbeddingModel.name)"]
        var parts = executable.split(separator: "/").dropLast()
        while !parts.isEmpty {
            places.append("/\(parts.joined(separator: "/"))/.bulkhead/models/\(EmbeddingModel.name)")
            parts.removeLast()
        }
        return places
    }

    private static func holdsModel(_ folder: String) -> Bool {
        ["model.safetensors", "vocab.txt"].allSatisfy { access("\(folder)/\($0)", R_OK) == 0 }
    }
}
