/// What stands for the path of a call in the trail: a part of its MAC, so that guesses need the key. Those of late are kept; most
/// calls go to a few paths.
struct PathDigests: Sendable {
    private static let digits = 16
    private static let maxKnown = 64
    private static let maxPath = 256

    private var known: [String: [UInt8]] = [:]

    mutating func digest(of path: String, _ key: AuditKey) -> [UInt8] {
        // Strings are equal that look equal, paths are not.
        guard path.utf8.count <= Self.maxPath, path.utf8.allSatisfy({ $0 < 0x80 }) else { return Self.digest(path, key) }
        if let digest = known[path] { return digest }
        let digest = Self.digest(path, key)
        if known.count >= Self.maxKnown { known.removeAll(keepingCapacity: true) }
        known[path] = digest
        return digest
    }

    private static func digest(_ path: String, _ key: AuditKey) -> [UInt8] {
        Array(key.mac(Array("path \(path)".utf8)[...]).prefix(digits))
    }
}
